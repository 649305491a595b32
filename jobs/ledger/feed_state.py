"""What a feed's ledger amounts to: the fold of its plans and outcomes, in ascending order. The only reader of progress."""

from __future__ import annotations

from datetime import datetime

from jobs.batches import Bound, Outcome, Plan, Stored, TableVersion
from jobs.errors import LedgerConflictError


class FeedState(Stored):
    """After the batches 1..`last` (of which at most the last has no outcome: `open_plan`).

    - `consumed`: object key → ETag that was read, superseded or set aside. `newest_folder`: the latest dated one among these.
    - `bounds`: table → the next lower bound.
    - `versions`: table → the last batch that changed it, or its first. `seen`: a derived table's input → the batch up to which it was seen.
    - `rows`, `quarantined`: totals as the outcomes counted them. `replays`: committed batches that replayed rejected records.
    - `runs`: run id → its last batch that is not void. `backfills`: those under way, by name → how many parts are done.
    """

    pipeline: str
    feed: str
    last: int = 0
    open_plan: Plan | None = None
    undo_started: bool = False
    consumed: dict[str, str] = {}
    newest_folder: datetime | None = None
    bounds: dict[str, Bound] = {}
    versions: dict[str, TableVersion] = {}
    seen: dict[str, int] = {}
    committed: tuple[int, ...] = ()
    void: tuple[int, ...] = ()
    rows: dict[str, int] = {}
    quarantined: int = 0
    replays: tuple[int, ...] = ()
    runs: dict[str, int] = {}
    backfills: dict[str, int] = {}
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
        part = plan.backfill
        under_way = {name: done for name, done in self.backfills.items() if part is None or name != part.name}
        if part and part.number < part.of:
            under_way[part.name] = part.number
        read = (*plan.objects, *plan.superseded, *plan.set_aside)
        newest = max(filter(None, (self.newest_folder, plan.newest_folder)), default=None)
        changed = {
            name: TableVersion(batch=number, version=table.version)
            for name, table in outcome.written.items()
            if table.touched or table.removed or name not in self.versions
        }
        return ended.model_copy(
            update={
                "consumed": self.consumed | {each.key: each.etag for each in read},
                "newest_folder": newest,
                "bounds": self.bounds | outcome.next_bounds,
                "versions": self.versions | changed,
                "seen": self.seen | {name: pinned.batch for name, pinned in plan.inputs.items()},
                "committed": (*self.committed, number),
                "rows": self.rows | {name: written.rows for name, written in outcome.written.items()},
                "quarantined": self.quarantined + outcome.quarantined,
                "replays": (*self.replays, number) if plan.replays else self.replays,
                "backfills": under_way,
                "runs": self.runs | {plan.run_id: number},
            }
        )
