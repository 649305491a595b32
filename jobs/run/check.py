"""Check: all tables of a batch, before any is written. What needs only a row was checked at landing; here keys, references, sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.batches import Checked, CheckedTable, Contract, Manifest, Plan
from jobs.config.table import DELETED_AT, Deletes, Table
from jobs.contracts.batch_rules import FATE, merged, missing_parents, references, repeated_keys, without
from jobs.errors import BatchRefusedError
from jobs.ledger.feed_state import FeedState
from jobs.run.context import RunContext
from jobs.run.landed import accepted_rows, curated_rows, failed_rows, landed_keys, landed_rows
from jobs.run.places import attempt_folder
from jobs.runtime.parquet import parquet_columns, parquet_files


def read_checked(context: RunContext, plan: Plan, attempt: str) -> Checked | None:
    content = context.lake.read(f"{attempt_folder(plan, attempt)}/checked.json")
    return Checked.model_validate_json(content) if content else None


def check(context: RunContext, plan: Plan, manifest: Manifest, state: FeedState) -> Checked:
    """The verdict on a landing, stored beside it. Raises BatchRefusedError when the batch must not enter the tables."""
    folder, fates = _failures(context, plan, manifest)
    checked = Checked(
        attempt=manifest.attempt,
        tables={name: _counted(manifest.tables[name].landed, fates[name]) for name in manifest.contract},
        rejected_folder=folder,
    )
    _require_no_refusal(context, plan, manifest, checked, fates)
    for name, table in manifest.contract.items():
        if table.load.mode == "replace":
            _require_plausible_size(plan, name, checked.tables[name].accepted, state.rows.get(name), manifest.contract)
        known = checked.tables[name].model_copy(update={"superseded": _superseded(context, manifest, checked, name)})
        known = known.model_copy(update=_deletions(context, plan, manifest, name))
        checked = checked.model_copy(update={"tables": checked.tables | {name: known}})
    context.lake.create(f"{attempt_folder(plan, manifest.attempt)}/checked.json", checked.to_json())
    return checked


def _counted(landed: int, fates: Counter[str]) -> CheckedTable:
    rejected, filtered = fates["quarantine"] + fates["refuse"], fates["filter"]
    accepted = landed - rejected - filtered
    return CheckedTable(accepted=accepted, rejected=rejected, superseded=0, filtered=filtered, warned=fates["warn"])


def _failures(context: RunContext, plan: Plan, manifest: Manifest) -> tuple[str | None, dict[str, Counter[str]]]:
    """Where the records that fail a rule of the whole batch are stored, and how many of each fate every table has."""
    fates = {name: Counter[str]() for name in manifest.contract}
    found = list(_failed(context, manifest))
    if not found:
        return None, fates
    place = f"{attempt_folder(plan, manifest.attempt)}/_checked"
    merged(reduce(DataFrame.unionByName, found)).coalesce(1).write.mode("overwrite").parquet(context.lake.uri(place))
    for file in parquet_files(context.lake, place):
        for name, fate in parquet_columns(context.lake, file.path, "table", FATE):
            fates[name][fate] += 1
    return (place if any(fates.values()) else None), fates


def _failed(context: RunContext, manifest: Manifest) -> Iterator[DataFrame]:
    """What fails each rule of the contract; nothing where it has no such rule. Parents are judged before children."""
    contract = manifest.contract
    repeated: dict[str, DataFrame] = {}
    for name, table in contract.items():
        if table.key and table.load.mode in ("replace", "recompute") and manifest.tables[name].landed:
            repeated[name] = repeated_keys(landed_rows(context, manifest, name), name, table)
            yield repeated[name]
    orphans: dict[str, DataFrame] = {}
    for name, column, parent in references(contract):
        if manifest.tables[name].landed:
            lost = [frames[parent] for frames in (repeated, orphans) if parent in frames]
            keys = _parent_keys(context, manifest, parent, lost)
            found = missing_parents(landed_rows(context, manifest, name), name, contract[name], column, keys)
            orphans[name] = orphans[name].unionByName(found) if name in orphans else found
            yield found


def _parent_keys(context: RunContext, manifest: Manifest, parent: str, lost: list[DataFrame]) -> DataFrame:
    """The keys that a reference may name: those of this batch, less its failed rows, and those that the curated table keeps."""
    table = context.pipeline.tables[parent]
    curated = curated_rows(context, parent, table)
    alive = curated.where(F.col(DELETED_AT).isNull()) if DELETED_AT in curated.columns else curated
    if parent not in manifest.contract:
        return alive.select(*table.key)
    landed = reduce(without, lost, landed_rows(context, manifest, parent)).select(*table.key)
    return landed if table.load.mode == "replace" else landed.unionByName(alive.select(*table.key))


def _superseded(context: RunContext, manifest: Manifest, checked: Checked, name: str) -> int:
    """How many accepted rows have a key (mode history: and a beginning) of which the batch holds a row that wins."""
    table = manifest.contract[name]
    identity = (*table.key, *table.load.newest_by[:1]) if table.load.mode == "history" else table.key
    if table.load.mode in ("replace", "append", "recompute") or checked.tables[name].accepted < 2:
        return 0
    rows = accepted_rows(context, manifest, checked, name)
    counts = rows.agg(F.count(F.lit(1)).alias("rows"), F.countDistinct(*identity).alias("keys")).first()
    return int(counts["rows"] - counts["keys"]) if counts else 0


def _deletions(context: RunContext, plan: Plan, manifest: Manifest, name: str) -> dict[str, object]:
    """Rows of the curated table whose keys are not under the batch's snapshot. Raises BatchRefusedError beyond the brake."""
    table, keys = manifest.contract[name], landed_keys(context, manifest, name)
    deletes = table.load.deletes
    if keys is None or not isinstance(deletes, Deletes) or table.inputs:
        return {}
    place = f"{attempt_folder(plan, manifest.attempt)}/_deleted/{name}"
    alive = _alive(context, name, table, manifest).select(*table.key)
    gone = alive.join(keys, on=list(table.key), how="left_anti").distinct()
    gone.coalesce(1).write.mode("overwrite").parquet(context.lake.uri(place))
    files = parquet_files(context.lake, place)
    deleted = sum(file.rows for file in files)
    if deleted and not plan.accept_shrink:
        _require_few(plan, name, deleted, alive.distinct().count(), deletes.max_delete_percent)
    return {"deleted": deleted, "deleted_keys": tuple(file.path for file in files if file.rows)}


def _alive(context: RunContext, name: str, table: Table, manifest: Manifest) -> DataFrame:
    """The curated rows that a deletion can end. A version that begins after the snapshot waits for a later one."""
    curated = curated_rows(context, name, table)
    if table.load.mode == "history":
        return curated.where(F.col("is_current") & (F.col("valid_from") < F.lit(manifest.snapshot_at)))
    return curated.where(F.col(DELETED_AT).isNull()) if DELETED_AT in curated.columns else curated


def _require_few(plan: Plan, name: str, deleted: int, before: int, percent: int) -> None:
    if deleted > before * percent / 100:
        raise BatchRefusedError(
            f"Checking batch {plan.number} of {plan.pipeline}/{plan.feed}: expected at most {percent} % of the {before} rows of {name} to "
            f"be gone from the source, got {deleted}. Nothing was changed. If they were deleted on purpose, run once with --accept-shrink."
        )


def _require_no_refusal(
    context: RunContext, plan: Plan, manifest: Manifest, checked: Checked, fates: dict[str, Counter[str]]
) -> None:
    """A check with `on_failure: refuse`, and any failed check of a derived table, refuses the whole batch."""
    strict = ("refuse", "quarantine") if plan.inputs else ("refuse",)
    landed = [file for file in manifest.rejected_files if plan.inputs]
    if not landed and not any(fate[each] for fate in fates.values() for each in strict):
        return
    failed = failed_rows(context, checked.rejected_folder).where(F.col(FATE).isin(*strict)).limit(5).collect()
    shown = [(row["object"], row["record"], row["reasons"]) for row in failed]
    for file in landed[:1]:
        shown += parquet_columns(context.lake, file.path, "object", "record", "reasons")[:5]
    reasons = " | ".join(f"{place} record {record}: {'; '.join(reasons)}" for place, record, reasons in shown[:5])
    remedy = "the transform or its inputs" if plan.inputs else "the source"
    raise BatchRefusedError(
        f"Checking batch {plan.number} of {plan.pipeline}/{plan.feed}: expected no record to fail, got {reasons}. "
        f"Correct {remedy}, then run the same command again."
    )


def _require_plausible_size(plan: Plan, name: str, accepted: int, before: int | None, contract: Contract) -> None:
    """An empty or badly shrunk snapshot is refused: yesterday's table stays and is still served."""
    load = contract[name].load
    delivered = next((each.key for each in plan.objects if each.table == name), f"{plan.pipeline}/{plan.feed}")
    if accepted < load.min_rows:
        raise BatchRefusedError(
            f"Checking {delivered}: expected at least {load.min_rows} rows for {name}, got {accepted}. Yesterday's table stays. "
            f"Deliver the file again; if it may be empty, set `min_rows: 0` in the table's `load`."
        )
    if before and accepted < before * (100 - load.max_shrink_percent) / 100 and not plan.accept_shrink:
        raise BatchRefusedError(
            f"Checking {delivered}: expected at least {100 - load.max_shrink_percent} % of the {before} rows that {name} has, got "
            f"{accepted}. Yesterday's table stays. Deliver the file again, or run once with --accept-shrink."
        )
