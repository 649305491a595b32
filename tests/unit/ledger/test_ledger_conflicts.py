"""Which files a ledger refuses to put, and which it refuses to understand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import LedgerConflictError
from jobs.ledger import feed_ledger
from jobs.ledger.feed_ledger import FeedLedger
from jobs.runtime.storage import Lake
from tests.unit.ledger.conftest import run_batch
from tests.unit.ledger.histories import outcome, plan


@pytest.mark.parametrize("kind", ["plan", "outcome"])
def test_a_number_is_claimed_and_ended_once(ledger: FeedLedger, kind: str) -> None:
    ledger.put_plan(plan(1))
    state = ledger.state()
    ledger.put_outcome(1, outcome(), state)
    again: dict[str, Callable[[], object]] = {
        "plan": lambda: ledger.put_plan(plan(1, run_id="other")),
        "outcome": lambda: ledger.put_outcome(1, outcome("void"), state),
    }
    with pytest.raises(
        LedgerConflictError, match=rf"00000001\.{kind}\.json: expected to be the first.*tidemark status"
    ):
        again[kind]()
    assert (ledger.state().committed, ledger.state().runs) == ((1,), {"run-1": 1})


def test_of_many_writers_of_one_number_one_wins_and_the_others_are_told(lake: Lake) -> None:
    for number in range(1, 9):
        start, results = threading.Barrier(4), list[str]()

        def claim(
            writer: int, number: int = number, start: threading.Barrier = start, results: list[str] = results
        ) -> None:
            start.wait()
            try:
                FeedLedger(lake, "shop", "snapshot").put_plan(plan(number, run_id=f"writer-{writer}"))
                results.append(f"writer-{writer}")
            except LedgerConflictError:
                results.append("conflict")

        threads = [threading.Thread(target=claim, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [result for result in results if result != "conflict"]
        ledger = FeedLedger(lake, "shop", "snapshot")
        state = ledger.state()
        assert state.open_plan and state.open_plan.run_id == winner
        ledger.put_outcome(number, outcome(), state)


def remove(lake: Lake, name: str) -> None:
    Path(lake.uri(f"ledger/shop/snapshot/{name}")).unlink()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("00000002.plan.json", "expected plan 2 after an outcome of 1, got plan 3"),
        ("00000002.outcome.json", "expected plan 3 after an outcome of 2, got plan 3"),
        ("00000003.plan.json", "expected a plan for outcome 3, got none"),
    ],
)
def test_a_missing_file_is_told_and_nothing_is_guessed(ledger: FeedLedger, lake: Lake, name: str, message: str) -> None:
    for number in (1, 2, 3):
        run_batch(ledger, number)
    remove(lake, name)
    with pytest.raises(LedgerConflictError, match=f"{message}.*restore it"):
        ledger.state()


def test_an_outcome_is_not_put_without_its_plan(ledger: FeedLedger, lake: Lake) -> None:
    state = run_batch(ledger, 1)
    for number in (1, 2):
        with pytest.raises(LedgerConflictError, match=f"expected a plan for outcome {number}, got none"):
            ledger.put_outcome(number, outcome("void"), state)
    assert lake.read("ledger/shop/snapshot/00000002.outcome.json") is None


def test_a_plan_under_a_wrong_number_is_refused(ledger: FeedLedger, lake: Lake) -> None:
    run_batch(ledger, 1)
    lake.create("ledger/shop/snapshot/00000002.plan.json", plan(5).to_json())
    with pytest.raises(LedgerConflictError, match="expected plan 2 after an outcome of 1, got plan 5"):
        ledger.state()


def test_files_before_the_newest_checkpoint_are_not_read_again(
    ledger: FeedLedger, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_ledger, "CHECKPOINT_EVERY", 2)
    for number in range(1, 6):
        state = run_batch(ledger, number)
    for number in range(1, 5):
        remove(lake, f"{number:08}.plan.json")
        remove(lake, f"{number:08}.outcome.json")
    assert ledger.state() == state
