"""The ledger of one feed, rule by rule: what its files amount to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobs.batches import Bound, ChangedSince, Looked, Published, TableVersion
from jobs.ledger import feed_ledger
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.runtime.storage import Lake
from tests.unit.ledger.conftest import run_batch
from tests.unit.ledger.histories import FIRST_DAY, PARTS, RECORD, outcome, plan, source, written


def test_an_empty_ledger_has_seen_nothing(ledger: FeedLedger) -> None:
    assert ledger.state() == FeedState(pipeline="shop", feed="snapshot")


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


def test_a_void_batch_changes_nothing_that_decides_about_the_next(ledger: FeedLedger) -> None:
    run_batch(ledger, 1, outcome(next_bounds={"users": 5}, written={"users": written(3)}))
    before = ledger.state()
    void = plan(
        2,
        superseded=(source("b", "1"),),
        set_aside=(source("c", "1"),),
        newest_folder=FIRST_DAY,
        inputs={"users": TableVersion(batch=1, version=1)},
        replays=(RECORD,),
        backfill=PARTS[0],
    )
    ledger.put_plan(void)
    ended = outcome("void", next_bounds={"users": 9}, written={"users": written(4)}, quarantined=3)
    after = ledger.put_outcome(2, ended, ledger.state())
    assert after == before.model_copy(update={"last": 2, "void": (2,)})


@pytest.mark.parametrize(
    "bound",
    [0, -1, 2**63 - 1, datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC), datetime(1, 1, 1, tzinfo=UTC)],
    ids=str,
)
@pytest.mark.parametrize("every", [1, 100])
def test_a_bound_comes_back_as_the_number_or_the_instant_that_it_was(
    ledger: FeedLedger, monkeypatch: pytest.MonkeyPatch, bound: Bound, every: int
) -> None:
    monkeypatch.setattr(feed_ledger, "CHECKPOINT_EVERY", every)
    run_batch(ledger, 1, outcome(next_bounds={"users": bound}))
    (found,) = ledger.state().bounds.values()
    assert (found, type(found)) == (bound, type(bound))
    assert getattr(found, "tzinfo", None) is None or found.utcoffset() == timedelta(0)  # type: ignore[union-attr]


def test_the_newest_folder_is_the_latest_that_was_taken_in_whatever_order(ledger: FeedLedger) -> None:
    days = [FIRST_DAY, FIRST_DAY + timedelta(days=3), None, FIRST_DAY + timedelta(days=2)]
    found = []
    for number, day in enumerate(days, 1):
        ledger.put_plan(plan(number, newest_folder=day))
        found.append(ledger.put_outcome(number, outcome(), ledger.state()).newest_folder)
    assert found == [days[0], days[1], days[1], days[1]]


def test_a_version_is_that_of_the_last_batch_that_changed_the_table(ledger: FeedLedger) -> None:
    run_batch(ledger, 1, outcome(written={"users": written(3, version=4), "orders": written(1, version=8)}))
    run_batch(ledger, 2, outcome(written={"users": written(3, version=5, written=0, touched=0)}))
    gone = {"orders": written(0, version=9, written=0, touched=0, removed=1)}
    state = run_batch(ledger, 3, outcome(written=gone))
    assert state.versions == {"users": TableVersion(batch=1, version=4), "orders": TableVersion(batch=3, version=9)}


def test_backfills_under_way_know_their_last_part_and_are_forgotten_with_it(ledger: FeedLedger) -> None:
    june = [part.model_copy(update={"of": 3}) for part in PARTS[2:]]
    parts = [PARTS[0], june[0], PARTS[1], june[1], june[1].model_copy(update={"number": 3})]
    found = []
    for number, part in enumerate(parts, 1):
        ledger.put_plan(plan(number, backfill=part))
        found.append(ledger.put_outcome(number, outcome(), ledger.state()).backfills)
    assert found == [{"may": 1}, {"may": 1, "june": 1}, {"june": 1}, {"june": 2}, {}]


def test_a_run_id_belongs_to_its_last_batch_that_is_not_void(ledger: FeedLedger) -> None:
    for number, status in enumerate(["committed", "committed", "void"], 1):
        ledger.put_plan(plan(number, run_id="monday"))
        state = ledger.put_outcome(number, outcome("void" if status == "void" else "committed"), ledger.state())
    assert state.runs == {"monday": 2}


def test_the_plan_of_any_claimed_batch_is_read_back(ledger: FeedLedger) -> None:
    run_batch(ledger, 1)
    ledger.put_plan(plan(2, windows={"users": ChangedSince(since=FIRST_DAY, null_cursors=2)}))
    assert (ledger.plan(1), ledger.plan(2).windows) == (
        plan(1),
        {"users": ChangedSince(since=FIRST_DAY, null_cursors=2)},
    )


def test_the_memo_of_the_last_look_is_the_newest_and_changes_no_state(ledger: FeedLedger) -> None:
    state = run_batch(ledger, 1)
    assert ledger.looked() is None
    for day in (1, 2):
        ledger.put_looked(Looked(at=FIRST_DAY + timedelta(days=day), run_id=f"run-{day}"))
    assert ledger.looked() == Looked(at=FIRST_DAY + timedelta(days=2), run_id="run-2")
    assert ledger.state() == state


def test_outcomes_are_read_when_they_are_asked_for_and_only_the_committed_ones(ledger: FeedLedger) -> None:
    for number, ended in enumerate([outcome(quarantined=1), outcome("void"), outcome(quarantined=3)], 1):
        state = run_batch(ledger, number, ended)
    outcomes = ledger.outcomes(state.committed)
    assert {number: outcomes[number].quarantined for number in outcomes} == {1: 1, 3: 3}
    assert 2 not in outcomes
    with pytest.raises(KeyError):
        outcomes[2]


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
