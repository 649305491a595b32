"""One prepared system per pipeline: the first day curated and published, the second delivered and not yet read."""

from __future__ import annotations

import fcntl
import os
import pickle
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
    """Made once for all workers: whoever asks second waits, and reads what the first has made."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @cache
    def prepare(pipeline: str) -> Prepared:
        made = shared / f"prepared_{pipeline}.pickle"
        with made.with_suffix(".lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if not made.is_file():
                made.write_bytes(pickle.dumps(_prepare(shared / "prepared" / pipeline, pipeline)))
        found: Prepared = pickle.loads(made.read_bytes())
        return found

    return prepare


def _prepare(folder: Path, pipeline: str) -> Prepared:
    folder.mkdir(parents=True)
    before = System(folder / "before")
    before.ok("sample", pipeline, "--day", "1", "--rows", ROWS)
    before.run(pipeline)
    before.ok("sample", pipeline, "--day", "2", "--rows", ROWS)
    undisturbed = before.copy(folder / "undisturbed")
    command = ["run", pipeline, "--as-of", AS_OF, "--run-id", "second-day"]
    done = undisturbed.call(*command, crash_after=0)
    assert done.returncode == 0, done.stderr
    return Prepared(before, command, undisturbed.labels(), undisturbed.contents(pipeline))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
