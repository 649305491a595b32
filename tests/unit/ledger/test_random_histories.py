"""The fold of any history of plans and outcomes, against a bookkeeper who shares no code with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jobs.batches import BackfillPart, Bound, RecordId, TableVersion
from jobs.ledger import feed_ledger
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.runtime.storage import Lake
from tests.unit.ledger.histories import FIRST_DAY, PARTS, RECORD, outcome, plan, source, written


@dataclass(frozen=True)
class Batch:
    """What one batch of a random history reads and how it ends."""

    status: Literal["committed", "void"]
    run_id: str
    objects: dict[str, str]
    superseded: dict[str, str]
    set_aside: dict[str, str]
    newest_folder: datetime | None
    inputs: dict[str, int]
    replays: tuple[RecordId, ...]
    backfill: BackfillPart | None
    bounds: dict[str, Bound]
    rows: dict[str, int]
    touched: int
    removed: int
    quarantined: int


@dataclass
class Books:
    """The oracle: what an honest bookkeeper writes down after each batch, without the code under test."""

    last: int = 0
    consumed: dict[str, str] = field(default_factory=dict)
    newest_folder: datetime | None = None
    bounds: dict[str, Bound] = field(default_factory=dict)
    versions: dict[str, dict[str, int]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    committed: tuple[int, ...] = ()
    void: tuple[int, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    replays: tuple[int, ...] = ()
    runs: dict[str, int] = field(default_factory=dict)
    backfills: dict[str, int] = field(default_factory=dict)
    last_finished_at: datetime | None = None

    def enter(self, number: int, batch: Batch) -> None:
        self.last, self.last_finished_at = number, FIRST_DAY + timedelta(hours=number)
        if batch.status == "void":
            self.void += (number,)
            return
        self.committed += (number,)
        self.runs[batch.run_id] = number
        for objects in (batch.objects, batch.superseded, batch.set_aside):
            self.consumed.update(objects)
        self.newest_folder = max([day for day in (self.newest_folder, batch.newest_folder) if day], default=None)
        self.bounds.update(batch.bounds)
        self.rows.update(batch.rows)
        for name in batch.rows:
            if batch.touched + batch.removed > 0 or name not in self.versions:
                self.versions[name] = {"batch": number, "version": number + 5}
        self.seen.update(batch.inputs)
        self.quarantined += batch.quarantined
        if batch.replays:
            self.replays += (number,)
        if batch.backfill:
            self.backfills[batch.backfill.name] = batch.backfill.number
            if batch.backfill.number == batch.backfill.of:
                del self.backfills[batch.backfill.name]


TABLES = st.sampled_from(["users", "orders", "items"])
INSTANTS = st.integers(0, 10**15).map(lambda us: FIRST_DAY + timedelta(microseconds=us))
KEYS = st.dictionaries(st.sampled_from([f"raw/{name}.csv" for name in "abcde"]), st.sampled_from("1234"), max_size=2)
BATCHES = st.builds(
    Batch,
    status=st.sampled_from(["committed", "committed", "void"]),
    run_id=st.sampled_from(["monday", "tuesday", "by hand"]),
    objects=KEYS,
    superseded=KEYS,
    set_aside=KEYS,
    newest_folder=st.none() | INSTANTS,
    inputs=st.dictionaries(TABLES, st.integers(1, 9), max_size=2),
    replays=st.sampled_from([(), (), (RECORD,)]),
    backfill=st.sampled_from([None, None, *PARTS]),
    bounds=st.dictionaries(TABLES, st.integers() | INSTANTS, max_size=2),
    rows=st.dictionaries(TABLES, st.integers(0, 9), max_size=2),
    touched=st.integers(0, 2),
    removed=st.integers(0, 1),
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
    reads = {
        kind: tuple(source(*item) for item in getattr(batch, kind).items())
        for kind in ("objects", "superseded", "set_aside")
    }
    claimed = plan(
        number,
        run_id=batch.run_id,
        newest_folder=batch.newest_folder,
        inputs={name: TableVersion(batch=seen, version=9) for name, seen in batch.inputs.items()},
        replays=batch.replays,
        backfill=batch.backfill,
        **reads,
    )
    ledger.put_plan(claimed)
    assert ledger.state().open_plan == claimed
    ended = outcome(
        batch.status,
        finished_at=FIRST_DAY + timedelta(hours=number),
        next_bounds=batch.bounds,
        written={
            name: written(rows, version=number + 5, touched=batch.touched, removed=batch.removed)
            for name, rows in batch.rows.items()
        },
        quarantined=batch.quarantined,
    )
    assert ledger.put_outcome(number, ended, ledger.state()) == ledger.state()


def facts(state: FeedState) -> dict[str, Any]:
    found = state.model_dump()
    assert (found.pop("pipeline"), found.pop("feed")) == ("shop", "snapshot")
    assert (found.pop("open_plan"), found.pop("undo_started")) == (None, False)
    return found
