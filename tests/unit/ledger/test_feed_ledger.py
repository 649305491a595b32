"""The ledger of one feed: what its files amount to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jobs.batches import Published
from jobs.ledger import feed_ledger
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.runtime.storage import Lake
from tests.unit.ledger.conftest import run_batch
from tests.unit.ledger.histories import FIRST_DAY, outcome, plan, source, written

# --- random histories -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """What one batch of a random history reads and how it ends."""

    status: Literal["committed", "void"]
    run_id: str
    reads: dict[str, str]
    superseded: dict[str, str]
    bounds: dict[str, int]
    rows: dict[str, int]
    quarantined: int


@dataclass
class Books:
    """The oracle: what an honest bookkeeper writes down after each batch, without the code under test."""

    last: int = 0
    consumed: dict[str, str] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)
    as_of: datetime | None = None
    committed: tuple[int, ...] = ()
    void: tuple[int, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    runs: dict[str, int] = field(default_factory=dict)
    last_finished_at: datetime | None = None

    def enter(self, number: int, batch: Batch) -> None:
        self.last, self.last_finished_at = number, FIRST_DAY + timedelta(hours=number)
        if batch.status == "void":
            self.void += (number,)
            return
        self.committed += (number,)
        self.runs[batch.run_id] = number
        self.consumed.update(batch.reads)
        self.consumed.update(batch.superseded)
        self.bounds.update(batch.bounds)
        self.rows.update(batch.rows)
        self.quarantined += batch.quarantined
        if batch.reads:
            self.as_of = FIRST_DAY + timedelta(days=number)


TABLES = st.sampled_from(["users", "orders", "items"])
KEYS = st.dictionaries(st.sampled_from([f"raw/{name}.csv" for name in "abcde"]), st.sampled_from("1234"), max_size=2)
BATCHES = st.builds(
    Batch,
    status=st.sampled_from(["committed", "committed", "void"]),
    run_id=st.sampled_from(["monday", "tuesday", "by hand"]),
    reads=KEYS,
    superseded=KEYS,
    bounds=st.dictionaries(TABLES, st.integers(), max_size=2),
    rows=st.dictionaries(TABLES, st.integers(0, 9), max_size=2),
    quarantined=st.integers(0, 5),
)


@pytest.mark.parametrize("every", [1, 3, 100])
@given(history=st.lists(BATCHES, min_size=4, max_size=9))
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_the_state_is_what_a_bookkeeper_has_whatever_the_checkpoints(every: int, history: list[Batch]) -> None:
    books = Books()
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_ledger, "CHECKPOINT_EVERY", every)
        ledger = FeedLedger(Lake(folder), "shop", "snapshot")
        for number, batch in enumerate(history, 1):
            put(ledger, number, batch)
            books.enter(number, batch)
            assert facts(ledger.state()) == vars(books)
        assert len(list(Path(folder).glob("**/checkpoint/*.json"))) == len(history) // every


def put(ledger: FeedLedger, number: int, batch: Batch) -> None:
    """The batch as a run puts it; the state with its plan is read back in between."""
    objects = {f"table{place}": source(*item) for place, item in enumerate(batch.reads.items())}
    superseded = tuple(source(*item) for item in batch.superseded.items())
    claimed = plan(number, run_id=batch.run_id, objects=objects, superseded=superseded)
    ledger.put_plan(claimed)
    assert ledger.state().open_plan == claimed
    ended = outcome(
        batch.status,
        finished_at=FIRST_DAY + timedelta(hours=number),
        next_bounds=batch.bounds,
        written={name: written(rows) for name, rows in batch.rows.items()},
        quarantined=batch.quarantined,
    )
    assert ledger.put_outcome(number, ended, ledger.state()) == ledger.state()


def facts(state: FeedState) -> dict[str, Any]:
    found = state.model_dump()
    assert (found.pop("pipeline"), found.pop("feed")) == ("shop", "snapshot")
    assert (found.pop("open_plan"), found.pop("undo_started")) == (None, False)
    return found


# --- single rules -----------------------------------------------------------------------------------------------------


def test_an_empty_ledger_has_seen_nothing(ledger: FeedLedger) -> None:
    assert facts(ledger.state()) == vars(Books())


def test_a_plan_without_outcome_is_open(ledger: FeedLedger) -> None:
    run_batch(ledger, 1)
    ledger.put_plan(plan(2))
    state = ledger.state()
    assert (state.last, state.open_plan, state.committed) == (2, plan(2), (1,))


def test_a_void_batch_burns_its_number_and_leaves_its_objects_pending(ledger: FeedLedger) -> None:
    state = run_batch(
        ledger, 1, outcome("void", next_bounds={"users": 5}, quarantined=3, written={"users": written(1)})
    )
    assert (state.last, state.void) == (1, (1,))
    assert (state.consumed, state.bounds, state.rows, state.quarantined, state.runs) == ({}, {}, {}, 0, {})


def test_an_undo_is_seen_until_the_batch_is_void(ledger: FeedLedger) -> None:
    ledger.put_plan(plan(1))
    assert not ledger.state().undo_started
    ledger.put_undo(1)
    ledger.put_undo(1)
    assert ledger.state().undo_started
    assert not ledger.put_outcome(1, outcome("void"), ledger.state()).undo_started
    ledger.put_plan(plan(2))
    assert not ledger.state().undo_started


def test_a_memo_of_publishing_stays_as_it_was_and_changes_no_state(ledger: FeedLedger) -> None:
    state = run_batch(ledger, 1)
    memo = Published(load_id="first", published_at=FIRST_DAY, rows={"users": 1})
    ledger.put_published(1, memo)
    ledger.put_published(1, memo.model_copy(update={"load_id": "second"}))
    assert (ledger.published(1), ledger.published(2), ledger.state()) == (memo, None, state)


def test_the_outcome_of_an_open_batch_is_none(ledger: FeedLedger) -> None:
    run_batch(ledger, 1)
    ledger.put_plan(plan(2))
    assert (ledger.outcome(1), ledger.outcome(2)) == (outcome(), None)


def test_foreign_files_and_the_leases_change_no_state(ledger: FeedLedger, lake: Lake) -> None:
    state = run_batch(ledger, 1)
    for name in [".DS_Store", "notes.txt", "lease/00000002.json", "lease/00000009.released.json", "00000001.bak"]:
        lake.create(f"ledger/shop/snapshot/{name}", b"x")
    assert ledger.state() == state


def test_feeds_whose_names_begin_alike_have_ledgers_of_their_own(lake: Lake) -> None:
    run_batch(FeedLedger(lake, "shop", "snapshot"), 1)
    assert FeedLedger(lake, "shop", "snap").state().last == 0
    assert FeedLedger(lake, "sho", "p").state().last == 0
