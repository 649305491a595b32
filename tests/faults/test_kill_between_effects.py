"""A run killed with SIGKILL after any effect is finished by the same command, as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.command_here import tidemark_here
from tests.faults.conftest import Prepared
from tests.faults.system import ROOT

COUPBOT_TABLES = ("roster", "channels", "message_logs", "ban_logs", "coup_attempts", "successful_coups")


def curating(feed: str, tables: tuple[str, ...]) -> list[str]:
    return ["plan", "landing", "manifest", "checked", *commits(feed, tables), "export", "outcome"]


def commits(feed: str, tables: tuple[str, ...]) -> list[str]:
    """A derived table, whose batches have its own name, has no quarantine."""
    curated = [f"commit curated {table}" for table in tables]
    return curated if tables == (feed,) else [f"commit quarantine {feed}", *curated]


def effects(**feeds: tuple[str, ...]) -> list[str]:
    curated = [effect for feed, tables in feeds.items() for effect in curating(feed, tables)]
    return [*curated, *(["load", "published"] * len(feeds))]


EFFECTS = {
    "coupbot": effects(snapshot=COUPBOT_TABLES),
    "stackoverflow": effects(database=("posts",)),
    "shop": effects(database=("users", "transactions")),
    "fflogs": effects(parses=("user_parse",), reviews=("party_review",), party=("party",)),
}
PLACES_OF_SHOP = (
    "checked",
    "commit quarantine database",
    "commit curated users",
    "commit curated transactions",
    "outcome",
    "load",
)
PLACES_OF_PARTY = ("plan", "landing", "checked", "commit curated party", "outcome")


def points() -> list[tuple[str, int, str]]:
    """Every effect of two pipelines. Of shop those whose order is its own: rows that change and go, an upsert per table; of fflogs those
    of its derived table, the last to be curated."""
    chosen = {"coupbot": EFFECTS["coupbot"], "stackoverflow": EFFECTS["stackoverflow"], "shop": PLACES_OF_SHOP}
    found = [(name, EFFECTS[name].index(label) + 1, label) for name, labels in chosen.items() for label in labels]
    party = EFFECTS["fflogs"].index("commit curated party_review") + 2  # after that feed's export and outcome
    return found + [("fflogs", EFFECTS["fflogs"].index(label, party) + 1, label) for label in PLACES_OF_PARTY]


@pytest.mark.parametrize("pipeline", EFFECTS)
def test_every_effect_of_a_run_is_a_place_to_be_killed(prepared: Callable[[str], Prepared], pipeline: str) -> None:
    assert prepared(pipeline).labels == EFFECTS[pipeline]


@pytest.mark.parametrize(("pipeline", "number", "label"), points(), ids=lambda value: str(value).replace(" ", "_"))
def test_the_same_command_finishes_a_killed_run(
    prepared: Callable[[str], Prepared], spark: SparkSession, home: Path, pipeline: str, number: int, label: str
) -> None:
    expected = prepared(pipeline)
    system = expected.before.copy(home)

    killed = system.call(*expected.command, crash_after=number)
    assert (killed.returncode, system.labels()[-1]) == (-9, label), killed.stderr
    tidemark_here(ROOT, system.home, spark, *expected.command)

    assert system.contents(pipeline) == expected.contents
    tags = system.tags(pipeline)
    assert tags and all(numbers == [1, 2] for numbers in tags.values())
    system.remove()
