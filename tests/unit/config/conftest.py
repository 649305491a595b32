"""A small project on disk, and its problems as (file, line, key)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from jobs.config import load_project
from jobs.config.problems import Problem
from jobs.errors import ConfigError

LOCAL = "environment: local\nwarehouse: {type: embedded_postgres}\ncompute: {type: in_process}\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes conf/ with the given pipelines (name=text), the environment `local` and the report `first`."""

    def write_project(**pipelines: str) -> Path:
        for folder in ("pipelines", "environments", "reports"):
            (tmp_path / "conf" / folder).mkdir(parents=True, exist_ok=True)
        for name, text in pipelines.items():
            (tmp_path / f"conf/pipelines/{name}.yaml").write_text(dedent(text).removeprefix("\n"), encoding="utf-8")
        (tmp_path / "conf/environments/local.yaml").write_text(LOCAL)
        (tmp_path / "conf/reports/first.sql").write_text("SELECT 1")
        return tmp_path

    return write_project


def problems_of(root: Path, environment: str | None = None) -> list[Problem]:
    """What loading says is wrong; empty if nothing is."""
    try:
        load_project(root, environment)
    except ConfigError as error:
        found = [problem for problem in error.problems if isinstance(problem, Problem)]
        assert len(found) == len(error.problems) > 0
        assert all(str(problem) in str(error) for problem in found)
        return found
    return []
