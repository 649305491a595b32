"""A run killed with SIGKILL after any effect is finished by the same command, as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Prepared

COUPBOT_TABLES = ("roster", "channels", "message_logs", "ban_logs", "coup_attempts", "successful_coups")


def effects(feed: str, tables: tuple[str, ...]) -> list[str]:
    commits = [f"commit quarantine {feed}", *(f"commit curated {table}" for table in tables)]
    return ["plan", "landing", "manifest", "checked", *commits, "export", "outcome", "load", "published"]


EFFECTS = {"coupbot": effects("snapshot", COUPBOT_TABLES), "stackoverflow": effects("database", ("posts",))}
POINTS = [(pipeline, number, label) for pipeline, labels in EFFECTS.items() for number, label in enumerate(labels, 1)]


@pytest.mark.parametrize("pipeline", EFFECTS)
def test_every_effect_of_a_run_is_a_place_to_be_killed(prepared: Callable[[str], Prepared], pipeline: str) -> None:
    assert prepared(pipeline).labels == EFFECTS[pipeline]


@pytest.mark.parametrize(("pipeline", "number", "label"), POINTS, ids=lambda value: str(value).replace(" ", "_"))
def test_the_same_command_finishes_a_killed_run(
    prepared: Callable[[str], Prepared], home: Path, pipeline: str, number: int, label: str
) -> None:
    expected = prepared(pipeline)
    system = expected.before.copy(home)

    killed = system.call("run", pipeline, "--as-of", "2024-04-01", crash_after=number)
    assert (killed.returncode, system.labels()[-1]) == (-9, label), killed.stderr
    system.run(pipeline)

    assert system.contents(pipeline) == expected.contents
    tags = system.tags(pipeline)
    assert tags and all(numbers == [1, 2] for numbers in tags.values())
    system.remove()
