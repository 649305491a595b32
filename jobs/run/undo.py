"""Undo: every Delta table that carries a batch goes back to the version before it. The batch's number stays burnt."""

from __future__ import annotations

from delta.tables import DeltaTable

from jobs.batches import Plan
from jobs.run.context import RunContext
from jobs.run.write import Target, targets
from jobs.tables.commits import batch_commit, is_undone


def carrying(context: RunContext, plan: Plan) -> list[Target]:
    """The Delta tables that hold the batch's commit and were not restored to before it."""
    tables = list(context.pipeline.tables_of(plan.feed))
    return [
        target
        for target in targets(plan, tables)
        if batch_commit(context.lake, target.path, target.app, plan.number)
        and not is_undone(context.lake, target.path, target.app, plan.number)
    ]


def finish_undo(context: RunContext, plan: Plan) -> None:
    """Restores what still carries the batch; run again after a crash it restores the rest."""
    for target in carrying(context, plan):
        commit = batch_commit(context.lake, target.path, target.app, plan.number)
        if commit:
            context.progress.say(f"{target.path}: back to version {commit.version - 1}")
            DeltaTable.forPath(context.spark(), context.lake.uri(target.path)).restoreToVersion(commit.version - 1)
