"""Write: one tagged commit per Delta table of the batch, the quarantine first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.batches import Checked, Contract, Manifest, Plan, WrittenTable
from jobs.errors import BalanceError
from jobs.ledger.feed_state import FeedState
from jobs.run.check import accepted_rows, all_rejects
from jobs.run.context import RunContext
from jobs.tables import insert, quarantine, replace
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
from jobs.tables.delta import BATCH, curated_schema, prepare_table, tagged

MODES: dict[str, ModuleType] = {"replace": replace, "insert": insert}


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
    """Every Delta table that a batch commits to, in the order of the commits."""
    return [quarantine_target(plan.pipeline, plan.feed), *(curated_target(plan.pipeline, name) for name in tables)]


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
    quarantine_address = context.lake.uri(quarantine_path(plan.pipeline, plan.feed))
    prepare_table(spark, quarantine_address, quarantine.QUARANTINE_SCHEMA, (BATCH,))
    for name, table in contract.items():
        address = context.lake.uri(curated_path(plan.pipeline, name))
        prepare_table(spark, address, curated_schema(table), (*table.key, BATCH))


def write_quarantine(context: RunContext, plan: Plan, manifest: Manifest, checked: Checked) -> int:
    """Appends the batch's rejects that are not there yet from an earlier reading; how many."""
    target = quarantine_target(plan.pipeline, plan.feed)
    address = context.lake.uri(target.path)

    def append() -> None:
        rejects = all_rejects(context, manifest, checked)
        rejects = quarantine.not_yet_known(rejects, address) if plan.ranges else rejects
        quarantine.write(rejects.withColumn(BATCH, F.lit(plan.number).cast("long")), address)

    return quarantine.written_rows(_commit_once(context, plan, manifest, target, append))


def write_table(
    context: RunContext, plan: Plan, manifest: Manifest, checked: Checked, state: FeedState, name: str
) -> WrittenTable:
    """One table's commit, or what it was if an earlier attempt made it. Raises BalanceError if its counts do not add up."""
    table, target = manifest.contract[name], curated_target(plan.pipeline, name)
    mode, address, names = MODES[table.load.mode], context.lake.uri(target.path), [*table.columns, BATCH]

    def merge() -> None:
        rows = accepted_rows(context, manifest, checked, name)
        mode.write(_curated(rows, names, plan), address, table.key)

    commit = _commit_once(context, plan, manifest, target, merge)
    counts, written = checked.tables[name], mode.written_rows(commit)
    before = 0 if table.load.mode == "replace" else state.rows.get(name, 0)
    unchanged = counts.accepted - counts.superseded - written
    read = commit.metrics.get("numSourceRows", written)
    if read != counts.accepted - counts.superseded or unchanged < 0:
        raise BalanceError(
            f"Writing {target.path}: expected the commit of batch {plan.number} to take {counts.accepted - counts.superseded} rows "
            f"(accepted less superseded), got {read}. Run `tidemark abandon {plan.pipeline} {plan.feed} --undo` and report this."
        )
    return WrittenTable(
        version=commit.version,
        rows=before + written,
        written=written,
        unchanged=unchanged,
        superseded=counts.superseded,
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


def _curated(rows: DataFrame, names: list[str], plan: Plan) -> DataFrame:
    return rows.withColumn(BATCH, F.lit(plan.number).cast("long")).select(*names)
