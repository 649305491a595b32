"""The load modes on real Delta tables: one tagged commit per batch, its counts, and the files that it touches."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.config.table import Table
from jobs.runtime.storage import Lake
from jobs.tables.apply import Applied, applied, apply
from jobs.tables.changes import OP, Arrival
from jobs.tables.commits import BatchCommit, CommitNote, batch_commit
from jobs.tables.current_rows import rows_with_places
from jobs.tables.delta import BATCH, curated_schema, has_deletion_vectors, prepare_table, tagged
from jobs.tables.modes import stored_changes
from tests.delta_rows import delta_rows
from tests.unit.tables.memory_table import Row, day, table_of

APP = "tidemark/shop/users"


class DeltaLake:
    """A lake with one curated table; `take` does what a run does with one batch."""

    def __init__(self, spark: SparkSession, place: Path, table: Table) -> None:
        self.spark, self.place, self.table, self.batch = spark, place, table, 0
        self.address = str(place / "users")
        stats = (*table.identity, BATCH)
        prepare_table(spark, self.address, curated_schema(table), stats, has_deletion_vectors(table))

    def take(self, arriving: list[Row], deleted: list[int] | None = None, at: datetime | None = None) -> BatchCommit:
        self.batch += 1
        names = list(self.table.columns)
        ddl = "id bigint, name string, score double, updated_at timestamp"
        rows = self.spark.createDataFrame([tuple(row[name] for name in names) for row in arriving], ddl).coalesce(1)
        gone = None if deleted is None else self.spark.createDataFrame([(each,) for each in deleted], "id bigint")
        current = rows_with_places(self.spark, self.address, self.table)
        lake, folder = Lake(str(self.place)), f"changes{self.batch}"
        stored = stored_changes(Arrival(self.table, rows, current, gone, at), lake, folder)
        counts = {row[OP]: row["count"] for row in stored.groupBy(OP).count().collect()}
        with tagged(self.spark, APP, CommitNote(batch=self.batch, attempt="a", contract_digest="d")):
            apply(stored, self.address, self.table, self.batch, counts)
        commit = batch_commit(lake, "users", APP, self.batch)
        assert commit is not None
        return commit

    def held(self, *names: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(row[name] for name in names) for row in delta_rows(self.address))


def row(key: int, name: str, at: int) -> Row:
    return {"id": key, "name": name, "score": None, "updated_at": day(at)}


@pytest.mark.parametrize("readers", [(), ("athena",)])
def test_a_batch_is_one_commit_whose_counts_are_those_of_its_changes(
    spark: SparkSession, tmp_path: Path, readers: tuple[str, ...]
) -> None:
    table = table_of("upsert", deletes={"reconcile": "soft"}).model_copy(update={"readers": readers})
    lake = DeltaLake(spark, tmp_path, table)
    first = lake.take([row(key, "old", 1) for key in range(6)], at=day(5))
    second = lake.take([row(1, "new", 2), row(2, "old", 1), row(9, "first", 1)], deleted=[3], at=day(6))
    assert second.version == first.version + 1
    assert applied(second) == Applied(inserted=1, updated=2, deleted=0)
    assert lake.held("id", "name", "_batch") == [
        (0, "old", 1),
        (1, "new", 2),
        (2, "old", 1),
        (3, "old", 2),
        (4, "old", 1),
        (5, "old", 1),
        (9, "first", 2),
    ]
    assert {key for key, at in lake.held("id", "_deleted_at") if at == day(6)} == {3}


def test_a_batch_of_new_rows_is_an_append_that_removes_no_file(spark: SparkSession, tmp_path: Path) -> None:
    lake = DeltaLake(spark, tmp_path, table_of("upsert"))
    lake.take([row(1, "a", 1)])
    commit = lake.take([row(2, "b", 1)])
    assert applied(commit) == Applied(inserted=1, updated=0, deleted=0)
    assert "numTargetFilesRemoved" not in commit.metrics


def test_a_batch_that_changes_nothing_records_its_number_and_adds_no_row(spark: SparkSession, tmp_path: Path) -> None:
    lake = DeltaLake(spark, tmp_path, table_of("upsert"))
    lake.take([row(1, "a", 1)])
    assert applied(lake.take([row(1, "a", 1)])) == Applied(0, 0, 0)
    assert lake.held("id", "_batch") == [(1, 1)]


def test_the_added_files_of_a_commit_hold_no_row_of_an_older_batch(spark: SparkSession, tmp_path: Path) -> None:
    lake = DeltaLake(spark, tmp_path, table_of("upsert"))
    old = lake.take([row(key, "old", 1) for key in range(4)])
    new = lake.take([row(1, "new", 2)])
    assert not set(old.added) & set(new.added)
    assert spark.read.parquet(*(f"{lake.address}/{file}" for file in new.added)).select(BATCH).distinct().collect() == [
        (2,)
    ]


def test_history_closes_and_deletes_in_one_commit_with_its_new_versions(spark: SparkSession, tmp_path: Path) -> None:
    lake = DeltaLake(spark, tmp_path, table_of("history", deletes={"reconcile": "soft"}))
    lake.take([row(1, "a", 1), row(2, "b", 1)], at=day(2))
    commit = lake.take([row(1, "A", 3)], deleted=[2], at=day(4))
    assert applied(commit) == Applied(inserted=1, updated=2, deleted=0)
    assert lake.held("id", "name", "valid_from", "valid_to", "is_current") == [
        (1, "A", day(3), None, True),
        (1, "a", day(1), day(3), False),
        (2, "b", day(1), day(4), False),
    ]


def test_the_session_is_afterwards_as_it_was(spark: SparkSession, tmp_path: Path) -> None:
    def settings() -> dict[str, str]:
        found = {each["key"]: each["value"] for each in spark.sql("SET").collect()}
        return {key: value for key, value in found.items() if "lastCommitVersion" not in key}  # Delta's own memory

    lake = DeltaLake(spark, tmp_path, table_of("upsert", deletes={"reconcile": "hard"}))
    before = settings()
    lake.take([row(1, "a", 1)], at=day(2))
    assert applied(lake.take([], deleted=[1], at=day(3))) == Applied(0, 0, 1)
    assert settings() == before
