"""Claim for derived tables: which versions of its inputs the next recomputation reads. Only committed batches count."""

from __future__ import annotations

from jobs.batches import Plan, TableVersion
from jobs.config.pipeline import Pipeline
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.run.claimable import Nothing, is_full_read, next_batch
from jobs.run.context import RunContext


def next_recomputation(context: RunContext, name: str, state: FeedState) -> Plan | Nothing:
    """A plan when a committed batch changed an input since the last recomputation.

    An input that no batch has written yet has no version: the transform gets an empty frame for it.
    """
    everything = is_full_read(context, state)
    found = {each: _version(context, each) for each in context.pipeline.tables[name].inputs}
    inputs = {each: version for each, version in found.items() if version}
    changed = [each for each, version in inputs.items() if everything or version.batch > state.seen.get(each, 0)]
    if not changed:
        return Nothing()
    shown = ", ".join(f"{each} up to batch {inputs[each].batch}" for each in changed)
    plan = next_batch(context, name, state, f"{'all of ' if everything else ''}{shown}")
    since = {} if everything else {each: state.seen[each] for each in inputs if each in state.seen}
    return plan.model_copy(update={"inputs": inputs, "since": since})


def _version(context: RunContext, table: str) -> TableVersion | None:
    """The last committed version of a table that changed it."""
    batches = ledger_of(context.pipeline, table)
    return FeedLedger(context.lake, context.name, batches).state().versions.get(table)


def ledger_of(pipeline: Pipeline, table: str) -> str:
    """The feed or derived table under whose name the batches of a table are."""
    origin = pipeline.tables[table].origin
    return origin if isinstance(origin, str) else table
