"""Abandon: gives a batch up. Without commits it becomes void at once; with commits only by `--undo`, which restores the tables."""

from __future__ import annotations

from datetime import UTC, datetime

from jobs.batches import Outcome
from jobs.errors import UsageError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.lease import held_lease, new_holder, refuse_if_held
from jobs.run.context import RunContext
from jobs.run.undo import carrying, finish_undo
from jobs.runtime.processes import process
from jobs.runtime.spark_errors import spark_errors
from jobs.runtime.spark_session import jvm_pid


def abandon(context: RunContext, feed: str, *, undo: bool) -> int:
    """Voids the open batch of the feed; its number. Raises UsageError if there is none, or if it needs `undo`."""
    ledger = FeedLedger(context.lake, context.name, feed)
    refuse_if_held(context.lake, context.name, feed)
    jvm = process(jvm_pid(context.spark())) if undo else None
    holder = new_holder(process(), jvm, context.run_id, context.command)
    with held_lease(
        context.lake,
        context.name,
        feed,
        holder,
        lambda: ledger.state().open_plan is not None,
        context.progress.say,
        context.late_request_seconds,
    ):
        state = ledger.state()
        plan = state.open_plan
        if plan is None:
            raise UsageError(
                f"Abandoning a batch of {context.name}/{feed}: expected an open one, got none. There is nothing to do."
            )
        if state.undo_started and not undo:
            raise UsageError(
                f"Abandoning batch {plan.number} of {context.name}/{feed}: expected --undo, got a batch whose undo has started. "
                "Add --undo, or run the pipeline: the next run finishes the undo."
            )
        committed = carrying(context, plan)
        if committed and not undo:
            raise UsageError(
                f"Abandoning batch {plan.number} of {context.name}/{feed}: expected no table to hold it, got "
                f"{', '.join(target.path for target in committed)}. Run the pipeline to finish the batch; if it cannot be "
                "finished, add --undo, which restores these tables to before it."
            )
        if undo:
            ledger.put_undo(plan.number)
            with spark_errors(f"Undoing batch {plan.number} of {context.name}/{feed}"):
                finish_undo(context, plan)
        reason = "abandoned, its commits undone" if undo else "abandoned before any commit"
        ledger.put_outcome(plan.number, Outcome(status="void", reason=reason, finished_at=datetime.now(UTC)), state)
        return plan.number
