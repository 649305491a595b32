"""One prepared system per pipeline: the first day curated and published, the second delivered and not yet read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.faults.system import AS_OF, System

ROWS = "150"


@dataclass(frozen=True)
class Prepared:
    """`before`: two days delivered, one run. The rest: the second run's command, and what it made of it undisturbed.

    The command has a run id: what is read whole with every run is not read once more by the run that finishes a killed one.
    """

    before: System
    command: list[str]
    labels: list[str]
    contents: dict[str, list[str]]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Prepared]:
    @cache
    def prepare(pipeline: str) -> Prepared:
        before = System(tmp_path_factory.mktemp("before") / pipeline)
        before.ok("sample", pipeline, "--day", "1", "--rows", ROWS)
        before.run(pipeline)
        before.ok("sample", pipeline, "--day", "2", "--rows", ROWS)
        undisturbed = before.copy(before.home.parent / "undisturbed")
        command = ["run", pipeline, "--as-of", AS_OF, "--run-id", "second-day"]
        done = undisturbed.call(*command, crash_after=0)
        assert done.returncode == 0, done.stderr
        return Prepared(before, command, undisturbed.labels(), undisturbed.contents(pipeline))

    return prepare


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
