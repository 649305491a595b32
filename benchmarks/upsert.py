"""A fixed batch into a growing table: Tidemark's upsert beside plain Delta MERGE, copy-on-write and with deletion vectors.

    make bench-upsert                                    the sizes of the published figures
    python -m benchmarks.upsert --millions 1 --runs 2    a quick look

The batch: 45,000 updates and 5,000 inserts, its keys spread over the whole table or the newest ones. All three get the same batch as
Parquet, in one session, interleaved, each on a fresh copy of the table (hard links), the first round unmeasured. What is timed goes
from the landed batch to the commit. After the last round the three tables must hold the same rows.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config.table import Table
from jobs.runtime import spark_session
from jobs.runtime.parquet import parquet_columns, parquet_files
from jobs.runtime.storage import Lake
from jobs.tables.apply import applied, apply
from jobs.tables.changes import OP, Arrival
from jobs.tables.commits import CommitNote, batch_commit
from jobs.tables.current_rows import rows_with_places
from jobs.tables.delta import BATCH, curated_schema, landed_schema, prepare_table, tagged
from jobs.tables.modes import changes

UPDATES, INSERTS = 45_000, 5_000
APP = "tidemark/bench/customers"
TABLE = Table.model_validate(
    {
        "from": "database",
        "key": ["id"],
        "columns": {
            "id": "bigint",
            "team_id": "bigint",
            "name": "varchar(100)",
            "email": "varchar(320)",
            "address": "text",
            "balance": "numeric(12,2)",
            "created_at": "timestamp",
            "updated_at": "timestamp",
        },
        "load": {"mode": "upsert", "newest_by": ["updated_at"]},
    }
)
COMPILERS = {
    "first-tier": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData",
    "all-tiers": "-XX:+UseParallelGC -XX:-UsePerfData",
}


def customers(ids: DataFrame, generation: int) -> DataFrame:
    """The rows of `ids` as the contract has them; another `generation` has other contents and later `updated_at`."""
    number = F.col("id")
    text = F.sha1(F.concat_ws(" ", number, F.lit(generation)))
    created = F.timestamp_seconds(F.lit(1_600_000_000) + number)
    return ids.select(
        "id",
        (number % 10_007).alias("team_id"),
        F.concat(F.lit("Name "), F.substring(text, 1, 12)).alias("name"),
        F.concat(F.substring(text, 1, 16), F.lit("@example.org")).alias("email"),
        F.concat(text, F.lit("\n"), (number % 99_999).cast("string")).alias("address"),
        (number % 1_000_000 / 100).cast("decimal(12,2)").alias("balance"),
        created.alias("created_at"),
        (created + F.expr(f"INTERVAL {generation * 4000} DAYS")).alias("updated_at"),
    )


def grow(spark: SparkSession, address: Path, rows: int) -> None:
    """The table as earlier batches left it: files of a million rows in order of the key, as batch 1."""
    prepare_table(spark, str(address), curated_schema(TABLE), (*TABLE.identity, BATCH))
    grown = customers(spark.range(0, rows, 1, max(2, rows // 1_000_000)), 0).withColumn(BATCH, F.lit(1).cast("long"))
    grown.write.format("delta").mode("append").save(str(address))


def land(spark: SparkSession, folder: Path, rows: int, are_recent: bool) -> None:
    """The batch as a landing has it."""
    updated = F.lit(rows - UPDATES) + F.col("id") if are_recent else F.col("id") * (rows // UPDATES)
    ids = spark.range(UPDATES).select(updated.cast("long").alias("id")).unionAll(spark.range(rows, rows + INSERTS))
    origin = {"_object": F.lit("batch"), "_record": F.col("id"), "_offset": F.lit(0).cast("long")}
    customers(ids, 1).withColumns(origin).coalesce(2).write.parquet(str(folder))


def by_tidemark(spark: SparkSession, landed: Path, address: Path) -> None:
    """What `jobs.run` does with an upsert: changes, stored once, counted, applied."""
    arriving = spark.read.schema(landed_schema(TABLE)).parquet(str(landed))
    stored = address.with_name(f"{address.name}.changes")
    with changes(Arrival(TABLE, arriving, rows_with_places(spark, str(address), TABLE))) as rows:
        rows.write.parquet(str(stored))
        schema = rows.schema
    found = spark.read.schema(schema).parquet(str(stored))
    lake = Lake(str(address.parent))
    files = parquet_files(lake, stored.name)
    counts = Counter(op for file in files for (op,) in parquet_columns(lake, file.path, OP))
    with tagged(spark, APP, CommitNote(batch=2, attempt="a", contract_digest="d")):
        apply(found, str(address), TABLE, 2, counts)
    commit = batch_commit(lake, address.name, APP, 2)
    assert commit is not None
    assert (applied(commit).inserted, applied(commit).updated) == (counts["insert"], counts["update"])


def by_merge(spark: SparkSession, landed: Path, address: Path) -> None:
    """The MERGE of Delta's own documentation."""
    batch = spark.read.schema(landed_schema(TABLE)).parquet(str(landed)).select(*TABLE.columns)
    batch = batch.withColumn(BATCH, F.lit(2).cast("long"))
    merge = (
        DeltaTable.forPath(spark, str(address)).alias("kept").merge(batch.alias("arriving"), "kept.id = arriving.id")
    )
    newer = "arriving.updated_at > kept.updated_at"
    merge.whenMatchedUpdateAll(condition=newer).whenNotMatchedInsertAll().execute()


Way = Callable[[SparkSession, Path, Path], None]
WAYS: dict[str, tuple[Way, bool]] = {
    "tidemark": (by_tidemark, True),
    "merge, copy on write": (by_merge, False),
    "merge, deletion vectors": (by_merge, True),
}
"""What is run, and whether its table has deletion vectors."""


def measure(spark: SparkSession, place: Path, grown: Path, landed: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each way's warm runs. Raises AssertionError if the ways end with different tables."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for run in range(runs + 1):
        copies = {name: place / f"copy{number}" for number, name in enumerate(WAYS)}
        for name, (way, deletion_vectors) in WAYS.items():
            shutil.copytree(grown, copies[name], copy_function=lambda source, target: Path(target).hardlink_to(source))
            if deletion_vectors:
                property_on = "SET TBLPROPERTIES ('delta.enableDeletionVectors' = true)"
                spark.sql(f"ALTER TABLE delta.`{copies[name]}` {property_on}")
            begin = time.perf_counter()
            way(spark, landed, copies[name])
            seconds[name].append(time.perf_counter() - begin)
        if run == runs:
            require_equal(spark, list(copies.values()))
        for copy in place.glob("copy*"):
            shutil.rmtree(copy)
    return {name: taken[1:] for name, taken in seconds.items()}


def require_equal(spark: SparkSession, tables: list[Path]) -> None:
    """Same number of rows, and same sum over a hash of each row."""
    sums = []
    for table in tables:
        rows = spark.read.format("delta").load(str(table))
        hashed = F.sum(F.xxhash64(*sorted(rows.columns)).cast("decimal(38,0)"))
        sums.append(rows.agg(F.count(F.lit(1)), hashed, F.sum(BATCH)).first())
    assert len(set(sums)) == 1, f"comparing the tables of {list(WAYS)}: expected one content, got {sums}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--millions", type=int, nargs="+", default=[1, 4, 16])
    options.add_argument("--runs", type=int, default=3, help="measured runs of each way, after one that is not")
    options.add_argument("--keys", nargs="+", default=["spread", "recent"], choices=["spread", "recent"])
    options.add_argument("--compiler", default="all-tiers", choices=list(COMPILERS))
    options.add_argument("--memory-gb", type=int, default=6)
    chosen = options.parse_args()
    spark_session._QUICK_START = COMPILERS[chosen.compiler]
    place = Path(tempfile.mkdtemp(prefix="bench-upsert-"))
    try:
        spark = spark_session.start_spark("bench-upsert", 2, chosen.memory_gb, place / "spark")
        print(f"{'keys':7} {'rows':>11}  " + "  ".join(f"{name:>23}" for name in WAYS))
        for millions in chosen.millions:
            rows = millions * 1_000_000
            grown = place / f"grown{millions}"
            grow(spark, grown, rows)
            for keys in chosen.keys:
                landed = place / f"landed-{millions}-{keys}"
                land(spark, landed, rows, keys == "recent")
                medians = {name: median(t) for name, t in measure(spark, place, grown, landed, chosen.runs).items()}
                own = medians["tidemark"]
                shown = (f"{taken:9.2f} s ({own / taken:8.2f}×)" for taken in medians.values())
                print(f"{keys:7} {rows:11,}  " + "  ".join(f"{each:>23}" for each in shown), flush=True)
            shutil.rmtree(grown)
        spark.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
