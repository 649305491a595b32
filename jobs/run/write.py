"""Write: one tagged commit per Delta table of the batch, the quarantine first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.batches import BATCH, Checked, Contract, Manifest, Plan, WrittenTable
from jobs.errors import BalanceError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.ledger.feed_state import FeedState
from jobs.run.context import RunContext
from jobs.run.landed import accepted_rows, curated_rows, deleted_keys, landed_keys, quarantined_rows
from jobs.run.places import changes_folder
from jobs.run.rejected import replayed_records
from jobs.tables import quarantine, replace
from jobs.tables.apply import Applied, applied, apply
from jobs.tables.changes import CLOSE, DELETE, INSERT, MARK, UPDATE, Arrival
from jobs.tables.commits import (
    BatchCommit,
    CommitNote,
    batch_commit,
    curated_app,
    curated_path,
    last_batch,
    quarantine_app,
    quarantine_path,
    require_not_ahead,
)
from jobs.tables.delta import curated_schema, has_deletion_vectors, prepare_table, tagged
from jobs.tables.modes import stored_changes, stored_counts


@dataclass(frozen=True)
class Target:
    """One Delta table of a feed: its place in the lake and the app id of its tags."""

    path: str
    app: str


def quarantine_target(pipeline: str, feed: str) -> Target:
    return Target(quarantine_path(pipeline, feed), quarantine_app(pipeline, feed))


def curated_target(pipeline: str, table: str) -> Target:
    return Target(curated_path(pipeline, table), curated_app(pipeline, table))


def targets(plan: Plan, tables: list[str]) -> list[Target]:
    """Every Delta table that a batch commits to, in the order of the commits. A derived table has no quarantine."""
    curated = [curated_target(plan.pipeline, name) for name in tables]
    return curated if plan.inputs else [quarantine_target(plan.pipeline, plan.feed), *curated]


def first_commit(context: RunContext, plan: Plan, tables: list[str]) -> BatchCommit | None:
    """Any commit that names the batch: from then on, its attempt and contract finish it."""
    for target in targets(plan, tables):
        commit = batch_commit(context.lake, target.path, target.app, plan.number)
        if commit:
            return commit
    return None


def prepare_tables(context: RunContext, plan: Plan, contract: Contract) -> None:
    """Creates what is not there yet and adds new columns, untagged and before any commit of the batch. Raises SourceSchemaError."""
    spark = context.spark()
    if not plan.inputs:
        quarantine_address = context.lake.uri(quarantine_path(plan.pipeline, plan.feed))
        prepare_table(spark, quarantine_address, quarantine.QUARANTINE_SCHEMA, (BATCH,))
    for name, table in contract.items():
        address = context.lake.uri(curated_path(plan.pipeline, name))
        prepare_table(spark, address, curated_schema(table), (*table.identity, BATCH), has_deletion_vectors(table))


def write_quarantine(context: RunContext, plan: Plan, manifest: Manifest, checked: Checked) -> int:
    """Appends the batch's rejects; how many. What is read again and rejected again is not appended while an identical one is open."""
    if plan.inputs:
        return 0
    target = quarantine_target(plan.pipeline, plan.feed)
    address = context.lake.uri(target.path)

    def append_rejects() -> None:
        rejects = quarantined_rows(context, manifest, checked)
        if _is_read_again(plan):
            ledger = FeedLedger(context.lake, plan.pipeline, plan.feed)
            rejects = quarantine.not_yet_known(rejects, address, replayed_records(ledger, ledger.state()))
        quarantine.write(rejects.withColumn(BATCH, F.lit(plan.number).cast("long")), address)

    written = quarantine.written_rows(_commit_once(context, plan, manifest, target, append_rejects))
    rejected = sum(table.rejected for table in manifest.tables.values())
    rejected += sum(table.rejected for table in checked.tables.values())
    rejected += manifest.objects.rejected if manifest.objects else 0
    if written > rejected or (written < rejected and not _is_read_again(plan)):
        _require_equal(plan, target.path, "as many rejected records as were counted", rejected, written)
    return written


def _is_read_again(plan: Plan) -> bool:
    """Whether the batch may hold records that an earlier one held, and rejected."""
    return bool(plan.windows) or plan.purpose in ("full", "backfill")


def write_table(
    context: RunContext, plan: Plan, manifest: Manifest, checked: Checked, state: FeedState, name: str
) -> WrittenTable:
    """One table's commit, or what it was if an earlier attempt made it. Raises BalanceError if its counts do not add up."""
    table, target = manifest.contract[name], curated_target(plan.pipeline, name)
    address = context.lake.uri(target.path)

    def commit_rows() -> None:
        rows = accepted_rows(context, manifest, checked, name)
        if table.load.mode == "replace":
            replace.write(_numbered(rows.select(*table.columns), plan.number), address, table.key)
            return
        folder = changes_folder(plan, manifest.attempt, name)
        changed = stored_changes(_arrival(context, plan, manifest, checked, name, rows), context.lake, folder)
        apply(changed, address, table, plan.number, stored_counts(context.lake, folder))

    commit = _commit_once(context, plan, manifest, target, commit_rows)
    return _written(context, plan, manifest, checked, state, name, commit)


def _arrival(
    context: RunContext, plan: Plan, manifest: Manifest, checked: Checked, name: str, rows: DataFrame
) -> Arrival:
    table = manifest.contract[name]
    return Arrival(
        table=table,
        arriving=rows,
        current=curated_rows(context, name, table),
        deleted=deleted_keys(context, manifest, checked, name),
        observed_at=manifest.snapshot_at,
        affected=landed_keys(context, manifest, name) if plan.inputs else None,
    )


def _written(
    context: RunContext,
    plan: Plan,
    manifest: Manifest,
    checked: Checked,
    state: FeedState,
    name: str,
    commit: BatchCommit,
) -> WrittenTable:
    """The counts of a table's commit. The stored changes and Delta's own metrics are counted in independent places and must agree."""
    found, counts, mode = applied(commit), checked.tables[name], manifest.contract[name].load.mode
    written, before = found.inserted, 0
    if mode != "replace":
        stored = stored_counts(context.lake, changes_folder(plan, manifest.attempt, name))
        before = state.rows.get(name, 0)
        stored_rows = Applied(stored[INSERT], stored[UPDATE] + stored[CLOSE] + stored[MARK], stored[DELETE])
        _require_equal(
            plan, curated_path(plan.pipeline, name), "as many changed rows as were stored", stored_rows, found
        )
        written = stored[INSERT] + stored[UPDATE]
    unchanged = counts.accepted - counts.superseded - written
    if unchanged < 0 or (unchanged and mode in ("replace", "append")):
        _require_equal(
            plan,
            curated_path(plan.pipeline, name),
            "as many rows as were accepted",
            counts.accepted - counts.superseded,
            written,
        )
    return WrittenTable(
        version=commit.version,
        rows=before + found.inserted - found.deleted,
        written=written,
        unchanged=unchanged,
        superseded=counts.superseded,
        touched=found.inserted + found.updated,
        removed=found.deleted,
    )


def _require_equal(plan: Plan, path: str, what: str, expected: object, got: object) -> None:
    if expected != got:
        raise BalanceError(
            f"Writing {path}: expected {what} for batch {plan.number}, {expected}, got {got}. "
            f"Run `tidemark abandon {plan.pipeline} {plan.feed} --undo` and report this."
        )


def _commit_once(
    context: RunContext, plan: Plan, manifest: Manifest, target: Target, commit: Callable[[], None]
) -> BatchCommit:
    """Runs `commit` under the batch's tag unless the table has it already; the commit that names the batch."""
    note = CommitNote(batch=plan.number, attempt=manifest.attempt, contract_digest=manifest.contract_digest)
    last = last_batch(context.lake, target.path, target.app)
    require_not_ahead(last, plan.number, target.path)
    if last < plan.number:
        with tagged(context.spark(), target.app, note):
            commit()
    found = batch_commit(context.lake, target.path, target.app, plan.number)
    if found is None or found.note != note:
        raise BalanceError(
            f"Writing {target.path}: expected a commit of batch {plan.number}, attempt {manifest.attempt}, got "
            f"{found.note.attempt if found else 'none'}. Run `tidemark abandon {plan.pipeline} {plan.feed} --undo` and report this."
        )
    return found


def _numbered(rows: DataFrame, number: int) -> DataFrame:
    return rows.withColumn(BATCH, F.lit(number).cast("long"))
