"""What Airflow finds when it parses a project, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.project_on_aws import ROOT


@dataclass(frozen=True)
class Parsed:
    """`dags`: a picture of each; `errors`: by file, as Airflow's page shows them; `modules`: what was imported."""

    dags: Mapping[str, str]
    errors: Mapping[str, str]
    modules: frozenset[str]


def parse(root: Path, home: Path, variables: Mapping[str, str]) -> Parsed:
    named = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEMARK_"))}
    named |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false", "PYTHONPATH": f"{root}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.dags.parse"], cwd=root, env={**named, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return Parsed(found["dags"], found["errors"], frozenset(found["modules"]))
