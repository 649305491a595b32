"""The story of a feed's batches: claim → land → check → write → export → outcome, under the feed's lease, until nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.batches import Checked, Manifest, Outcome, Plan
from jobs.contracts.contract import contract_digest
from jobs.errors import BatchRefusedError, LedgerConflictError, SourceSchemaError, TidemarkError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.ledger.lease import held_lease, new_holder, refuse_if_held
from jobs.run.check import check, read_checked
from jobs.run.claim import next_new
from jobs.run.claimable import Claim, Nothing
from jobs.run.context import RunContext
from jobs.run.export import export
from jobs.run.land import land, newest_manifest, read_manifest, require_same_tables
from jobs.run.undo import finish_undo
from jobs.run.write import first_commit, prepare_tables, write_quarantine, write_table
from jobs.runtime.processes import process
from jobs.runtime.progress import Steps
from jobs.runtime.spark_errors import spark_errors
from jobs.runtime.spark_session import jvm_pid


@dataclass(frozen=True)
class CuratedFeed:
    """What a run did to one feed: the batches that it ended, in order, and why it stopped."""

    feed: str
    batches: tuple[tuple[Plan, Outcome], ...]
    stopped: Nothing
    error: TidemarkError | None = None


def curate(context: RunContext, feed: str, claim: Claim = next_new) -> CuratedFeed:
    """Ends the open batch of the feed, if any, then claims and ends further ones. A Tidemark error stops this feed only."""
    ended: list[tuple[Plan, Outcome]] = []
    stopped = Nothing()
    try:
        refuse_if_held(context.lake, context.name, feed)
        jvm = process(jvm_pid(context.spark()))
        ledger = FeedLedger(context.lake, context.name, feed)
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
            stopped = _drain(context, ledger, claim, ended)
    except TidemarkError as error:
        return CuratedFeed(feed, tuple(ended), stopped, error)
    return CuratedFeed(feed, tuple(ended), stopped)


def _drain(context: RunContext, ledger: FeedLedger, claim: Claim, ended: list[tuple[Plan, Outcome]]) -> Nothing:
    """Batch after batch, each decided from the state after the one before. `ended` grows with every outcome."""
    state = ledger.state()
    is_rerun = context.run_id in state.runs
    while True:
        plan = state.open_plan
        if plan is None:
            if context.max_batches is not None and len(ended) >= context.max_batches:
                return Nothing(is_limited=True)
            found = claim(context, ledger.feed, state, is_rerun)
            if isinstance(found, Nothing):
                return found
            ledger.put_plan(found)
            state, plan = state.with_plan(found), found
        else:
            is_rerun = is_rerun or plan.run_id == context.run_id
            context.progress.say(f"{ledger.feed}: resuming batch {plan.number} of run {plan.run_id}")
        with spark_errors(f"Curating batch {plan.number} of {plan.pipeline}/{plan.feed}"):
            outcome = _finish(context, plan, state)
        is_refused = outcome.status == "void" and not state.undo_started
        state = ledger.put_outcome(plan.number, outcome, state)
        ended.append((plan, outcome))
        if is_refused:
            raise BatchRefusedError(outcome.reason)


def _finish(context: RunContext, plan: Plan, state: FeedState) -> Outcome:
    """The outcome of a claimed batch, wherever an earlier attempt left it. A refused batch is void."""
    if state.undo_started:
        finish_undo(context, plan)
        return _void("its commits were undone by `tidemark abandon --undo`")
    if not plan.reads_something:
        return Outcome(status="committed", reason=plan.reason, finished_at=datetime.now(UTC))
    title = f"{plan.pipeline}/{plan.feed} batch {plan.number}"
    with context.progress.steps(
        title, 4 + len(context.pipeline.tables_of(plan.feed)), f"landing {plan.reason}"
    ) as steps:
        try:
            manifest, checked = _land_and_check(context, plan, state, steps)
        except (BatchRefusedError, SourceSchemaError) as refusal:
            return _void(str(refusal))
        return _write_and_export(context, plan, state, manifest, checked, steps)


def _void(reason: str) -> Outcome:
    return Outcome(status="void", reason=reason, finished_at=datetime.now(UTC))


def _land_and_check(context: RunContext, plan: Plan, state: FeedState, steps: Steps) -> tuple[Manifest, Checked]:
    """A whole landing and the verdict on it. From the first commit on, it is the one that this commit names, unchecked again."""
    current = context.pipeline.tables_of(plan.feed)
    commit = first_commit(context, plan, list(current))
    if commit:
        manifest = read_manifest(context.lake, plan, commit.note.attempt)
        checked = read_checked(context, plan, commit.note.attempt)
        if manifest is None or checked is None:
            raise LedgerConflictError(
                f"Resuming batch {plan.number} of {plan.pipeline}/{plan.feed}: expected the landing of attempt {commit.note.attempt}, "
                "which a table already has, got none. Restore it from a backup of the lake, or run "
                f"`tidemark abandon {plan.pipeline} {plan.feed} --undo`."
            )
        return manifest, checked
    require_same_tables(plan, current)
    manifest = newest_manifest(context.lake, plan, contract_digest(current)) or land(context, plan, current)
    steps.done("checking")
    return manifest, read_checked(context, plan, manifest.attempt) or check(context, plan, manifest, state)


def _write_and_export(
    context: RunContext, plan: Plan, state: FeedState, manifest: Manifest, checked: Checked, steps: Steps
) -> Outcome:
    """One commit per table, then the export. Nothing from here on may refuse the batch: a table may have it already."""
    steps.done("writing the quarantine")
    prepare_tables(context, plan, manifest.contract)
    quarantined = write_quarantine(context, plan, manifest, checked)
    written = {}
    for name in manifest.contract:
        steps.done(f"writing {name}")
        written[name] = write_table(context, plan, manifest, checked, state, name)
    steps.done("exporting")
    exported = export(context, plan, manifest, written)
    steps.done("")
    return Outcome(
        status="committed",
        reason=plan.reason,
        attempt=manifest.attempt,
        contract_digest=manifest.contract_digest,
        landed=manifest.tables,
        checked=checked.tables,
        written=written,
        quarantined=quarantined,
        objects=manifest.objects,
        export=exported,
        next_bounds=manifest.next_bounds,
        finished_at=datetime.now(UTC),
    )
