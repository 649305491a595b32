"""What a feed's ledger amounts to: the fold of its plans and outcomes, in ascending order. The only reader of progress."""

from __future__ import annotations

from datetime import datetime

from jobs.batches import Outcome, Plan, Stored
from jobs.errors import LedgerConflictError


class FeedState(Stored):
    """After the batches 1..`last` (of which at most the last has no outcome: `open_plan`).

    `consumed`: object key → ETag that was read or superseded. `bounds`: table → the next lower bound. `as_of`: of the newest applied
    folder. `rows`, `quarantined`: totals as the outcomes counted them. `runs`: run id → its last batch that is not void.
    """

    pipeline: str
    feed: str
    last: int = 0
    open_plan: Plan | None = None
    undo_started: bool = False
    consumed: dict[str, str] = {}
    bounds: dict[str, int] = {}
    as_of: datetime | None = None
    committed: tuple[int, ...] = ()
    void: tuple[int, ...] = ()
    rows: dict[str, int] = {}
    quarantined: int = 0
    runs: dict[str, int] = {}
    last_finished_at: datetime | None = None

    def with_plan(self, plan: Plan) -> FeedState:
        if plan.number != self.last + 1 or self.open_plan:
            raise LedgerConflictError(
                f"Reading the ledger of {self.pipeline}/{self.feed}: expected plan {self.last + 1} after an outcome of {self.last}, "
                f"got plan {plan.number}. A file was removed or written by hand: restore it."
            )
        return self.model_copy(update={"last": plan.number, "open_plan": plan})

    def plan_of(self, number: int) -> Plan:
        """The open plan that an outcome `number` ends. Raises LedgerConflictError if there is none."""
        if self.open_plan is None or self.open_plan.number != number:
            raise LedgerConflictError(
                f"Reading the ledger of {self.pipeline}/{self.feed}: expected a plan for outcome {number}, got none. "
                "A file was removed or written by hand: restore it."
            )
        return self.open_plan

    def with_outcome(self, number: int, outcome: Outcome) -> FeedState:
        plan = self.plan_of(number)
        ended = self.model_copy(
            update={"open_plan": None, "undo_started": False, "last_finished_at": outcome.finished_at}
        )
        if outcome.status == "void":
            return ended.model_copy(update={"void": (*self.void, number)})
        read = [*plan.objects.values(), *plan.superseded]
        return ended.model_copy(
            update={
                "consumed": self.consumed | {each.key: each.etag for each in read},
                "bounds": self.bounds | outcome.next_bounds,
                "as_of": plan.as_of if plan.objects else self.as_of,
                "committed": (*self.committed, number),
                "rows": self.rows | {name: written.rows for name, written in outcome.written.items()},
                "quarantined": self.quarantined + outcome.quarantined,
                "runs": self.runs | {plan.run_id: number},
            }
        )
