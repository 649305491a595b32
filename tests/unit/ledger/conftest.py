"""A ledger on disk, and a batch that runs through it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.batches import Outcome
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.runtime.storage import Lake
from tests.unit.ledger.histories import outcome, plan


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def ledger(lake: Lake) -> FeedLedger:
    return FeedLedger(lake, "shop", "snapshot")


def run_batch(ledger: FeedLedger, number: int, ended: Outcome | None = None) -> FeedState:
    ledger.put_plan(plan(number))
    return ledger.put_outcome(number, ended or outcome(), ledger.state())
