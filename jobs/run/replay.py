"""Replay: rejected records of earlier batches are judged again by today's contract, in a normal batch whose plan lists them.

What fails again is quarantined again, under the replay's own number; a record is open while no committed replay lists it.
"""

from __future__ import annotations

from collections.abc import Collection

from jobs.batches import Contract, Plan, RecordId
from jobs.errors import LedgerConflictError, UsageError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.run.claimable import Nothing, next_batch
from jobs.run.context import RunContext
from jobs.run.rejected import Rejected, open_records
from jobs.run.shares import ReplayShare

_RECORDS_PER_TASK = 10_000


class ReplayClaim:
    """The claim of one replay: the chosen records that are open, once."""

    def __init__(self, context: RunContext, feed: str, chosen: Collection[RecordId]) -> None:
        """Raises UsageError for a feed whose batches are whole tables, or where nothing is chosen."""
        nightly = [name for name, t in context.pipeline.tables_of(feed).items() if t.load.mode == "replace"]
        if nightly:
            raise UsageError(
                f"Replaying rejected records of {context.name}/{feed}: expected tables that take single rows, got mode replace for "
                f"{nightly[0]}. Deliver the file again: the next run takes it."
            )
        self._chosen = set(chosen)

    def __call__(self, context: RunContext, feed: str, state: FeedState, is_rerun: bool) -> Plan | Nothing:
        if context.run_id in state.runs:
            return Nothing()
        found = open_records(context.lake, FeedLedger(context.lake, context.name, feed), state)
        records = tuple(dict.fromkeys(each.id for each in found if each.id in self._chosen))
        if not records:
            return Nothing()
        plan = next_batch(
            context, feed, state, f"replay of {len(records)} rejected record{'' if len(records) == 1 else 's'}"
        )
        return plan.model_copy(update={"purpose": "replay", "replays": records})


def replay_shares(context: RunContext, plan: Plan, contract: Contract, place: str) -> list[ReplayShare]:
    """The tasks that read the plan's records from the quarantine. Raises LedgerConflictError if one is not there."""
    records = _planned(context, plan)  # rows without a key can share an id: more than were planned, perhaps
    feed, root = context.pipeline.feeds[plan.feed], context.lake.root
    parts = [records[start : start + _RECORDS_PER_TASK] for start in range(0, len(records), _RECORDS_PER_TASK)]
    return [ReplayShare(place, number, root, contract, feed, tuple(part)) for number, part in enumerate(parts)]


def _planned(context: RunContext, plan: Plan) -> list[Rejected]:
    ledger = FeedLedger(context.lake, context.name, plan.feed)
    wanted = set(plan.replays)
    found = [each for each in open_records(context.lake, ledger, ledger.state()) if each.id in wanted]
    if missing := wanted - {each.id for each in found}:
        raise LedgerConflictError(
            f"Replaying for batch {plan.number} of {plan.pipeline}/{plan.feed}: expected {len(wanted)} records in the quarantine, got "
            f"{len(wanted) - len(missing)}; missing is {next(iter(missing))}. Was the quarantine table changed? Restore it from a backup."
        )
    return found
