"""A command of Tidemark in this process: the same code and arguments, without ten seconds of starting a Spark of its own."""

from __future__ import annotations

import io
import json
import signal
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import cli
from jobs.run.session import Machine, on_machine
from jobs.runtime.aws import aws_session


def tidemark_here(root: Path, home: Path, spark: SparkSession, *arguments: str) -> dict[str, Any]:
    """The JSON document of a command that must succeed, run in the project at `root` with that $TIDEMARK_HOME."""
    printed, terminated = io.StringIO(), signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, on_machine(Machine(lambda *_: spark, aws_session)):
        patch.chdir(root)
        patch.setenv("TIDEMARK_HOME", str(home))
        with redirect_stdout(printed), pytest.raises(SystemExit) as ended:
            cli.main([*arguments, "--json"])
    signal.signal(signal.SIGTERM, terminated)
    assert not ended.value.code, printed.getvalue()
    document: dict[str, Any] = json.loads(printed.getvalue())
    return document
