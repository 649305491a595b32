"""A fixed batch into a growing table: Tidemark's upsert beside plain Delta MERGE, copy-on-write and with deletion vectors.

    make bench-upsert                                    the sizes of the published figures
    python -m benchmarks.upsert --millions 1 --runs 2    a quick look

The batch: 45,000 updates and 5,000 inserts, its keys spread over the whole table or the newest ones. All three get the same batch as
Parquet, in one warm session, in turns, each on a fresh copy of the table (hard links). What is timed goes from the landed batch to the
commit. After the last round the three tables must hold the same rows.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config.table import Table
from jobs.runtime import spark_session
from jobs.runtime.storage import Lake
from jobs.tables.apply import applied, apply
from jobs.tables.changes import Arrival
from jobs.tables.commits import CommitNote, batch_commit
from jobs.tables.current_rows import rows_with_places
from jobs.tables.delta import BATCH, curated_schema, landed_schema, prepare_table, tagged
from jobs.tables.modes import stored_changes, stored_counts

UPDATES, INSERTS = 45_000, 5_000
WARM_UP = 6
"""Rounds at the first size that are not measured; at each other size it is one."""
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


def grow(spark: SparkSession, address: Path, rows: int, deletion_vectors: bool) -> None:
    """The table as earlier batches left it: files of a million rows in order of the key, as batch 1."""
    prepare_table(spark, str(address), curated_schema(TABLE), (*TABLE.identity, BATCH), deletion_vectors)
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
    lake, folder = Lake(str(address.parent)), f"{address.name}.changes"
    found = stored_changes(Arrival(TABLE, arriving, rows_with_places(spark, str(address), TABLE)), lake, folder)
    counts = stored_counts(lake, folder)
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


def measure(
    spark: SparkSession, place: Path, grown: dict[bool, Path], landed: Path, runs: int, warm_up: int
) -> dict[str, list[float]]:
    """Seconds of each way's warm runs; `grown`: the table with deletion vectors or not. Raises AssertionError if the ways end with different tables."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for run in range(warm_up + runs):
        copies = {name: place / f"copy{number}" for number, name in enumerate(WAYS)}
        for name, (way, deletion_vectors) in in_turn(run):
            shutil.copytree(
                grown[deletion_vectors],
                copies[name],
                copy_function=lambda source, target: Path(target).hardlink_to(source),
            )
            begin = time.perf_counter()
            way(spark, landed, copies[name])
            seconds[name].append(time.perf_counter() - begin)
        if run + 1 == warm_up + runs:
            require_equal(spark, list(copies.values()))
        for copy in place.glob("copy*"):
            shutil.rmtree(copy)
    return {name: taken[warm_up:] for name, taken in seconds.items()}


def in_turn(run: int) -> list[tuple[str, tuple[Way, bool]]]:
    """Another way begins each round: what a way leaves behind (garbage, unwritten pages) burdens the next."""
    ways, first = list(WAYS.items()), run % len(WAYS)
    return ways[first:] + ways[:first]


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
    options.add_argument("--runs", type=int, default=5, help="measured runs of each way")
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
            grown = {vectors: place / f"grown-{millions}-{vectors}" for vectors in (False, True)}
            for vectors, address in grown.items():
                grow(spark, address, rows, vectors)
            for keys in chosen.keys:
                landed = place / f"landed-{millions}-{keys}"
                land(spark, landed, rows, keys == "recent")
                warm_up = WARM_UP if millions == chosen.millions[0] else 1
                taken = measure(spark, place, grown, landed, chosen.runs, warm_up)
                medians = {name: median(seconds) for name, seconds in taken.items()}
                own = medians["tidemark"]
                shown = (f"{seconds:9.2f} s ({own / seconds:8.2f}×)" for seconds in medians.values())
                print(f"{keys:7} {rows:11,}  " + "  ".join(f"{each:>23}" for each in shown), flush=True)
            for address in grown.values():
                shutil.rmtree(address)
        spark.stop()
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
