"""One prepared system per pipeline: the first day curated and published, the second delivered and not yet read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.faults.system import System

ROWS = "150"


@dataclass(frozen=True)
class Prepared:
    """`before`: two days delivered, one run. `after`: what an undisturbed second run made of it."""

    before: System
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
        done = undisturbed.call("run", pipeline, "--as-of", "2024-04-01", crash_after=0)
        assert done.returncode == 0, done.stderr
        return Prepared(before, undisturbed.labels(), undisturbed.contents(pipeline))

    return prepare


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
