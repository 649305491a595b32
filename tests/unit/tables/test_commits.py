"""What the Delta log says about batches: logs written by hand, and one by the `deltalake` package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from jobs.errors import LedgerConflictError
from jobs.runtime.storage import Lake
from jobs.tables.commits import (
    BatchCommit,
    CommitNote,
    batch_commit,
    curated_app,
    is_undone,
    last_batch,
    quarantine_app,
    require_not_ahead,
)

PATH, APP = "curated/shop/users", "tidemark/shop/users"
Action = dict[str, Any]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def note(batch: int) -> CommitNote:
    return CommitNote(batch=batch, attempt=f"attempt-{batch}", contract_digest="digest")


def tagged(batch: int, app: str = APP, rows: int = 1) -> list[Action]:
    """A commit of a batch, as Spark writes it: metrics are texts."""
    metrics = {"numOutputRows": str(rows), "numFiles": "1"}
    info = {"operation": "MERGE", "operationMetrics": metrics, "userMetadata": note(batch).model_dump_json()}
    return [
        {"commitInfo": info},
        {"txn": {"appId": app, "version": batch, "lastUpdated": 1}},
        {"add": {"path": "day=1/a%20b.parquet"}},
    ]


def untagged(operation: str = "OPTIMIZE", **parameters: Any) -> list[Action]:
    return [{"commitInfo": {"operation": operation, "operationParameters": parameters}}]


def restored(version: int) -> list[Action]:
    return untagged("RESTORE", version=str(version), timestamp=None)


def log(lake: Lake, *commits: list[Action], first: int = 0) -> None:
    """The commits of the table, numbered from `first`."""
    for version, actions in enumerate(commits, first):
        content = "\n".join(json.dumps(action) for action in actions)
        assert lake.create(f"{PATH}/_delta_log/{version:020d}.json", content.encode())


# --- the last batch ---------------------------------------------------------------------------------------------------


def test_a_table_that_is_not_there_or_was_only_created_has_no_batch(lake: Lake) -> None:
    assert last_batch(lake, PATH, APP) == 0
    log(lake, untagged("CREATE TABLE"))
    assert last_batch(lake, PATH, APP) == 0


def test_the_last_batch_is_that_of_the_newest_tagged_commit(lake: Lake) -> None:
    log(lake, untagged("CREATE TABLE"), tagged(3), tagged(12), untagged(), untagged("VACUUM END"))
    assert last_batch(lake, PATH, APP) == 12


def test_tags_of_other_apps_do_not_count(lake: Lake) -> None:
    log(
        lake,
        tagged(2),
        tagged(9, "tidemark/shop/users_a"),
        tagged(8, "tidemark/shop"),
        tagged(7, quarantine_app("shop", "users")),
    )
    assert last_batch(lake, PATH, APP) == 2
    assert curated_app("shop", "users") == APP


def test_versions_are_ordered_beyond_one_digit_and_other_files_are_no_commits(lake: Lake) -> None:
    log(lake, *[tagged(number) for number in range(1, 13)])
    for name in [
        "00000000000000000099.crc",
        "00000000000000000098.checkpoint.parquet.json",
        "x.json",
        "0.1.compacted.json",
    ]:
        lake.create(f"{PATH}/_delta_log/{name}", b"{")
    assert last_batch(lake, PATH, APP) == 12


def test_a_neighbouring_table_is_another_one(lake: Lake) -> None:
    log(lake, tagged(5))
    assert last_batch(lake, PATH.removesuffix("s"), APP) == 0


def test_a_later_batch_in_the_table_than_in_the_ledger_is_an_alarm() -> None:
    require_not_ahead(4, 4, PATH)
    require_not_ahead(3, 4, PATH)
    with pytest.raises(LedgerConflictError, match=f"Writing batch 4 to {PATH}: .* got 5. The ledger was restored"):
        require_not_ahead(5, 4, PATH)


# --- the commit of a batch --------------------------------------------------------------------------------------------


def test_finds_the_commit_that_names_a_batch(lake: Lake) -> None:
    log(lake, untagged("CREATE TABLE"), tagged(1), tagged(3, rows=7), untagged(), tagged(4), untagged())
    found = {batch: batch_commit(lake, PATH, APP, batch) for batch in range(1, 6)}
    metrics = {"numOutputRows": 7, "numFiles": 1}
    assert {batch: commit and commit.version for batch, commit in found.items()} == {1: 1, 2: None, 3: 2, 4: 4, 5: None}
    assert found[3] == BatchCommit(2, note(3), metrics, ("day=1/a b.parquet",))


def test_a_batch_without_a_table_has_no_commit(lake: Lake) -> None:
    assert batch_commit(lake, PATH, APP, 1) is None


# --- undone -----------------------------------------------------------------------------------------------------------


CREATED = untagged("CREATE TABLE")
HISTORIES: list[tuple[str, list[list[Action]], bool]] = [
    ("never written", [CREATED], False),
    ("written", [CREATED, tagged(1)], False),
    ("written and maintained", [CREATED, tagged(1), untagged()], False),
    ("restored to before it", [CREATED, tagged(1), restored(0)], True),
    ("restored to before it, then maintained", [CREATED, tagged(1), restored(0), untagged()], True),
    ("restored to itself", [CREATED, tagged(1), untagged(), restored(1)], False),
    ("written after a restore", [CREATED, untagged(), restored(0), tagged(1)], False),
    ("restored, and the restore restored", [CREATED, tagged(1), restored(0), restored(1)], False),
    ("restored to before it through another restore", [CREATED, tagged(1), restored(0), untagged(), restored(2)], True),
    ("another batch undone", [CREATED, tagged(1), tagged(2), restored(1)], False),
    ("undone, then the next one written", [CREATED, tagged(1), restored(0), tagged(2)], True),
]


@pytest.mark.parametrize(("commits", "expected"), [each[1:] for each in HISTORIES], ids=[each[0] for each in HISTORIES])
def test_a_batch_is_undone_if_a_restore_skips_it(lake: Lake, commits: list[list[Action]], expected: bool) -> None:
    log(lake, *commits)
    assert is_undone(lake, PATH, APP, 1) is expected


@pytest.mark.parametrize("version", [None, '""', ""])
def test_a_restore_to_a_time_is_not_guessed(lake: Lake, version: str | None) -> None:
    log(lake, CREATED, tagged(1), untagged("RESTORE", version=version, timestamp="2024-01-01"))
    with pytest.raises(LedgerConflictError, match=f"version 2 of {PATH}: .* Restore the table to a version number"):
        is_undone(lake, PATH, APP, 1)


# --- a table of the deltalake package ---------------------------------------------------------------------------------


def write_batches(lake: Lake, *batches: int, app: str = APP) -> DeltaTable:
    for batch in batches:
        tags = CommitProperties(
            app_transactions=[Transaction(app, batch)], custom_metadata={"userMetadata": note(batch).model_dump_json()}
        )
        write_deltalake(lake.uri(PATH), pa.table({"id": [batch]}), mode="append", commit_properties=tags)
    return DeltaTable(lake.uri(PATH))


def forget_commits_before(lake: Lake, version: int) -> None:
    """What Delta's log cleanup leaves once a checkpoint is old enough."""
    for stored in lake.objects(f"{PATH}/_delta_log"):
        name = stored.key.rsplit("/", 1)[-1]
        if name.endswith(".json") and name[:20].isdigit() and int(name[:20]) < version:
            Path(lake.uri(stored.key)).unlink()


def test_reads_the_log_of_another_writer(lake: Lake) -> None:
    table = write_batches(lake, 1, 2, 5)
    assert last_batch(lake, PATH, APP) == 5
    found = batch_commit(lake, PATH, APP, 2)
    assert found and (found.version, found.note) == (1, note(2))
    table.restore(1)
    assert [is_undone(lake, PATH, APP, batch) for batch in (1, 2, 5)] == [False, False, True]
    assert last_batch(lake, PATH, APP) == 5


def test_finds_the_last_batch_in_a_checkpoint_when_its_commit_was_cleaned_up(lake: Lake) -> None:
    write_batches(lake, 1, 2)
    write_batches(lake, 40, app="tidemark/shop/other")
    table = write_batches(lake, 7)
    table.optimize.compact()
    table.create_checkpoint()
    forget_commits_before(lake, table.version() + 1)
    assert [last_batch(lake, PATH, app) for app in (APP, "tidemark/shop/other", "tidemark/shop")] == [7, 40, 0]
    assert batch_commit(lake, PATH, APP, 7) is None


def test_a_commit_after_the_checkpoint_counts_before_it(lake: Lake) -> None:
    table = write_batches(lake, 1, 2)
    table.create_checkpoint()
    forget_commits_before(lake, table.version())
    write_batches(lake, 3)
    assert last_batch(lake, PATH, APP) == 3


def test_a_checkpoint_without_any_tag_has_no_batch(lake: Lake) -> None:
    write_deltalake(lake.uri(PATH), pa.table({"id": [1]}))
    DeltaTable(lake.uri(PATH)).create_checkpoint()
    assert last_batch(lake, PATH, APP) == 0
