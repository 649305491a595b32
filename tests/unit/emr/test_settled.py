"""A run that went on elsewhere is done when the ledger says so, feed by feed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jobs.batches import Looked
from jobs.ledger.feed_ledger import FeedLedger
from jobs.run.settled import unfinished_work
from jobs.runtime.storage import Lake
from tests.unit.ledger.histories import FIRST_DAY, outcome, plan

HOUR = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def ledger(lake: Lake) -> FeedLedger:
    return FeedLedger(lake, "shop", "snapshot")


def left(lake: Lake, run_id: str) -> list[str]:
    return unfinished_work(lake, "shop", ["snapshot"], run_id, FIRST_DAY)


def test_a_run_that_committed_a_batch_is_done(lake: Lake, ledger: FeedLedger) -> None:
    ledger.put_plan(plan(1, run_id="night"))
    ledger.put_outcome(1, outcome(), ledger.state())
    assert left(lake, "night") == []


def test_a_run_that_found_nothing_to_do_is_done(lake: Lake, ledger: FeedLedger) -> None:
    ledger.put_looked(Looked(at=FIRST_DAY + HOUR, run_id="night"))
    assert left(lake, "night") == []


def test_an_open_batch_of_the_run_is_named(lake: Lake, ledger: FeedLedger) -> None:
    ledger.put_looked(Looked(at=FIRST_DAY + HOUR, run_id="earlier"))
    ledger.put_plan(plan(1, run_id="night"))
    assert left(lake, "night") == ["snapshot: batch 1 without an outcome"]


def test_an_open_batch_of_another_run_is_not_this_runs(lake: Lake, ledger: FeedLedger) -> None:
    ledger.put_looked(Looked(at=FIRST_DAY + HOUR, run_id="night"))
    ledger.put_plan(plan(1, run_id="later"))
    assert left(lake, "night") == []


def test_a_look_from_before_the_run_is_no_trace_of_it(lake: Lake, ledger: FeedLedger) -> None:
    ledger.put_looked(Looked(at=FIRST_DAY - HOUR, run_id="earlier"))
    assert left(lake, "night") == ["snapshot: no trace of the run"]


def test_a_void_batch_alone_is_no_trace_of_finished_work(lake: Lake, ledger: FeedLedger) -> None:
    ledger.put_plan(plan(1, run_id="night"))
    ledger.put_outcome(1, outcome("void"), ledger.state())
    assert left(lake, "night") == ["snapshot: no trace of the run"]
