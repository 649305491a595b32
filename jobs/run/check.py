"""Check: all tables of a batch, before any is written. What needs only a row was checked at landing; here keys, references, sizes."""

from __future__ import annotations

from collections import Counter

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.batches import Checked, CheckedTable, Contract, Manifest, Plan
from jobs.contracts.batch_rules import (
    merged,
    missing_parents,
    one_row_per_key,
    references,
    repeated_keys,
    without,
)
from jobs.errors import BatchRefusedError
from jobs.ledger.feed_state import FeedState
from jobs.run.context import RunContext
from jobs.run.land import attempt_folder
from jobs.runtime.parquet import parquet_column
from jobs.tables.commits import curated_path
from jobs.tables.delta import landed_schema
from jobs.tables.quarantine import REJECTED_SCHEMA


def read_checked(context: RunContext, plan: Plan, attempt: str) -> Checked | None:
    content = context.lake.read(f"{attempt_folder(plan, attempt)}/checked.json")
    return Checked.model_validate_json(content) if content else None


def landed_rows(context: RunContext, manifest: Manifest, name: str) -> DataFrame:
    """The landed rows of one table (landed_schema)."""
    schema = landed_schema(manifest.contract[name])
    files = [context.lake.uri(file.path) for file in manifest.tables[name].files]
    spark = context.spark()
    return spark.read.schema(schema).parquet(*files) if files else spark.createDataFrame([], schema)


def check(context: RunContext, plan: Plan, manifest: Manifest, state: FeedState) -> Checked:
    """The verdict on a landing, stored beside it. Raises BatchRefusedError when the batch must not enter the tables."""
    contract = manifest.contract
    rejects = _rejects(context, manifest)
    counts: dict[str, int] = {}
    place = f"{attempt_folder(plan, manifest.attempt)}/_checked"
    if rejects is not None:
        merged(rejects).coalesce(1).write.mode("overwrite").parquet(context.lake.uri(place))
        stored = [o.key for o in context.lake.objects(place) if o.key.endswith(".parquet")]
        counts = dict(Counter(name for file in stored for name in parquet_column(context.lake, file, "table")))
        if counts:
            _require_no_refusal(context, place, contract, plan)
    tables = {}
    for name, table in contract.items():
        accepted = manifest.tables[name].landed - counts.get(name, 0)
        superseded = (
            _repeats(landed_rows(context, manifest, name), table.key) if table.load.mode == "insert" and accepted else 0
        )
        tables[name] = CheckedTable(accepted=accepted, rejected=counts.get(name, 0), superseded=superseded)
        if table.load.mode == "replace":
            _require_plausible_size(plan, name, accepted, state.rows.get(name), contract)
    checked = Checked(attempt=manifest.attempt, tables=tables, rejected_folder=place if counts else None)
    context.lake.create(f"{attempt_folder(plan, manifest.attempt)}/checked.json", checked.to_json())
    return checked


def accepted_rows(context: RunContext, manifest: Manifest, checked: Checked, name: str) -> DataFrame:
    """The rows of one table that the batch writes; one per key for mode insert."""
    rows = landed_rows(context, manifest, name)
    if checked.tables[name].rejected:
        rejects = context.spark().read.schema(REJECTED_SCHEMA).parquet(context.lake.uri(checked.rejected_folder or ""))
        rows = without(rows, rejects.where(F.col("table") == name))
    table = manifest.contract[name]
    return one_row_per_key(rows, table.key) if checked.tables[name].superseded else rows


def all_rejects(context: RunContext, manifest: Manifest, checked: Checked) -> DataFrame:
    """Every rejected record of the batch, from landing and check (REJECTED_SCHEMA)."""
    folders = [context.lake.uri(file.path) for file in manifest.rejected_files]
    folders += [context.lake.uri(checked.rejected_folder)] if checked.rejected_folder else []
    spark = context.spark()
    return (
        spark.read.schema(REJECTED_SCHEMA).parquet(*folders) if folders else spark.createDataFrame([], REJECTED_SCHEMA)
    )


def _rejects(context: RunContext, manifest: Manifest) -> DataFrame | None:
    """Rejects of the batch rules over all tables, or None where the contract has no such rule. Parents are judged before children."""
    contract = manifest.contract
    found: dict[str, DataFrame] = {}
    for name, table in contract.items():
        if table.key and table.load.mode == "replace" and manifest.tables[name].landed:
            found[name] = repeated_keys(landed_rows(context, manifest, name), name, table)
    for name, column, parent in references(contract):
        if not manifest.tables[name].landed:
            continue
        parents = landed_rows(context, manifest, parent)
        parents = without(parents, found[parent]) if parent in found else parents
        keys = parents.select(*contract[parent].key)
        if contract[parent].load.mode != "replace":
            keys = keys.unionByName(_curated_keys(context, parent, contract))
        orphans = missing_parents(landed_rows(context, manifest, name), name, contract[name], column, keys)
        found[name] = found[name].unionByName(orphans) if name in found else orphans
    frames = list(found.values())
    union = frames[0] if frames else None
    for frame in frames[1:]:
        union = union.unionByName(frame) if union is not None else frame
    return union


def _curated_keys(context: RunContext, parent: str, contract: Contract) -> DataFrame:
    key, path = contract[parent].key, curated_path(context.name, parent)
    spark = context.spark()
    if context.lake.objects(f"{path}/_delta_log"):
        return spark.read.format("delta").load(context.lake.uri(path)).select(*key)
    return spark.createDataFrame([], landed_schema(contract[parent])).select(*key)


def _repeats(landed: DataFrame, key: tuple[str, ...]) -> int:
    """How many rows have a key that the batch holds already."""
    row = landed.agg(F.count(F.lit(1)).alias("rows"), F.countDistinct(*key).alias("keys")).first()
    return int(row["rows"] - row["keys"]) if row else 0


def _require_no_refusal(context: RunContext, place: str, contract: Contract, plan: Plan) -> None:
    strict = {
        name
        for name, table in contract.items()
        for c in table.columns.values()
        if c.references and c.on_failure == "refuse"
    }
    if not strict:
        return
    rejects = context.spark().read.schema(REJECTED_SCHEMA).parquet(context.lake.uri(place))
    shown = rejects.where(F.col("table").isin(*strict)).limit(5).collect()
    if shown:
        reasons = " | ".join(f"{row['object']} record {row['record']}: {'; '.join(row['reasons'])}" for row in shown)
        raise BatchRefusedError(
            f"Checking batch {plan.number} of {plan.pipeline}/{plan.feed}: expected every reference to hold, got {reasons}. "
            "Correct the source, then run the same command again."
        )


def _require_plausible_size(plan: Plan, name: str, accepted: int, before: int | None, contract: Contract) -> None:
    """An empty or badly shrunk snapshot is refused: yesterday's table stays and is still served."""
    load = contract[name].load
    delivered = plan.objects[name].key
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
