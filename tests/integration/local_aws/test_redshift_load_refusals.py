"""What Redshift, S3 or the exports refuse: one clear message, nothing half-loaded, and the same load works once the cause is gone."""

from __future__ import annotations

from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import pytest

from jobs.batches import ExportManifest, Outcome
from jobs.config.table import Table
from jobs.errors import (
    ConfigError,
    LedgerConflictError,
    LoadRefusedError,
)
from jobs.runtime.storage import Lake
from jobs.warehouse.load import _load_batch
from tests.integration.local_aws.emr_account import EmrAccount
from tests.integration.local_aws.redshift_loading import (
    LoadedRedshift,
    Rows,
    load,
    loadable_redshift,
    new_pipeline,
    started,
)
from tests.integration.local_aws.redshift_loading import refusal_after_one_batch as refusal
from tests.integration.test_warehouse_modes import APPEND, UPSERT, Part, committed, put


@pytest.fixture(scope="module")
def redshift(account: EmrAccount) -> Iterator[LoadedRedshift]:
    with loadable_redshift(account) as running:
        yield running


@pytest.fixture
def lake(redshift: LoadedRedshift) -> Lake:
    return redshift.new_lake()


@pytest.fixture
def pipeline() -> str:
    return new_pipeline()


# --- exports ----------------------------------------------------------------------------------------------------------


def test_a_value_that_is_too_long_names_object_and_column(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "é" * 21)]))

    told = refusal(redshift, lake, pipeline, batches, LoadRefusedError)

    assert f"Copying {pipeline}.t: expected workgroup" in told
    assert f"column 'name' of {lake.root}/export/batch=2/t/part-0.parquet" in told
    assert "Table: 40, Data: 42" in told


@pytest.mark.parametrize("counted", [1, 3])
def test_a_count_that_differs_from_the_manifest_is_refused(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, counted: int
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(1, "A"), (2, "b")]))
    recounted = counted_as(lake, batches[2], rows=counted)

    told = refusal(redshift, lake, pipeline, {**batches, 2: recounted}, LoadRefusedError)

    assert f"batch 2 of {pipeline}.feed: expected {counted} rows in staging for 't'" in told
    assert "got 2" in told
    assert load(redshift, lake, pipeline, batches) == [2]


@pytest.mark.parametrize(("gone", "counted"), [([(1,)], 2), ([(1,), (2,)], 1), ([], 1), ([(1,)], 0)])
def test_deletes_that_are_not_as_many_as_the_manifest_says_are_refused(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, gone: Rows, counted: int
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(1, "A")], gone, counted))

    told = refusal(redshift, lake, pipeline, batches, LoadRefusedError)

    assert f"{counted} deleted keys in staging for 't'" in told
    assert f"got {len(gone)}" in told


def counted_as(lake: Lake, outcome: Outcome, rows: int) -> Outcome:
    """The same batch with another export's manifest, in which table t has so many rows."""
    manifest = ExportManifest.model_validate_json(lake.read(outcome.export or "") or b"")
    table = manifest.tables["t"].model_copy(update={"rows": rows})
    path = f"export/batch=2/{token_hex(4)}.json"
    assert lake.create(path, manifest.model_copy(update={"tables": {"t": table}}).to_json())
    return outcome.model_copy(update={"export": path})


def test_a_row_that_a_batch_holds_twice_is_refused(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    """Postgres's unique index does it there; Redshift has none."""
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b"), (2, "B"), (3, "c")]))

    told = refusal(redshift, lake, pipeline, batches, LoadRefusedError)

    assert "expected each key of 't' once, got 1 keys more than once" in told


def test_an_exported_file_that_is_gone_is_named(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    key = f"{lake.root.rpartition('/')[2]}/export/batch=2/t/part-0.parquet"
    s3 = redshift.account.s3
    content = s3.get_object(Bucket=redshift.bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=redshift.bucket, Key=key)

    told = refusal(redshift, lake, pipeline, batches, LoadRefusedError)

    assert f"Loading {pipeline}.t from export/batch=2/t/part-0.parquet: expected the exported file to be there" in told
    s3.put_object(Bucket=redshift.bucket, Key=key, Body=content)
    assert load(redshift, lake, pipeline, batches) == [2]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["id", "_batch"], "expected columns ['name'], got a file without them"),
        (["id", "name", "extra", "_batch"], "got also ['extra']"),
    ],
    ids=["missing", "foreign"],
)
def test_a_file_with_other_columns_is_named(
    redshift: LoadedRedshift, lake: Lake, pipeline: str, columns: list[str], told: str
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, []))
    files = ("export/other.parquet",)
    put(lake, files[0], columns, [])
    other = with_files(lake, batches[2], files)

    assert told in refusal(redshift, lake, pipeline, {**batches, 2: other}, LoadRefusedError)


def test_files_with_columns_in_different_orders_are_not_copied_by_position(
    redshift: LoadedRedshift, lake: Lake, pipeline: str
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, []))
    files = ("export/one.parquet", "export/other.parquet")
    for path, columns in zip(files, (["id", "name", "_batch"], ["_batch", "name", "id"]), strict=True):
        put(lake, path, columns, [])
    other = with_files(lake, batches[2], files)

    told = refusal(redshift, lake, pipeline, {**batches, 2: other}, LoadRefusedError)

    assert "from export/other.parquet: expected the columns in the order ['id', 'name', '_batch']" in told


def with_files(lake: Lake, outcome: Outcome, files: tuple[str, ...]) -> Outcome:
    manifest = ExportManifest.model_validate_json(lake.read(outcome.export or "") or b"")
    table = manifest.tables["t"].model_copy(update={"files": files})
    path = f"export/batch=2/{token_hex(4)}.json"
    assert lake.create(path, manifest.model_copy(update={"tables": {"t": table}}).to_json())
    return outcome.model_copy(update={"export": path})


def test_a_gap_is_refused(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))

    with redshift.opened() as warehouse, pytest.raises(LoadRefusedError, match="expected 2 earlier .*, got 1"):
        _load_batch(warehouse, lake, pipeline, "feed", 3, batches[2], earlier=2)

    assert redshift.ids(pipeline) == [(1,)]


def test_a_warehouse_that_another_lake_filled_is_refused(redshift: LoadedRedshift, lake: Lake, pipeline: str) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    of_another_lake = {1: batches[1].model_copy(update={"attempt": "of-a-new-lake"})}

    with pytest.raises(LedgerConflictError, match=r"got another lake's batch 1\."):
        load(redshift, lake, pipeline, of_another_lake)


def test_a_lake_on_disk_cannot_be_loaded(redshift: LoadedRedshift, tmp_path: Any, pipeline: str) -> None:
    lake = Lake(str(tmp_path))

    with pytest.raises(ConfigError, match=r"expected a lake on S3, .*unset TIDEMARK_LAKE_URL"):
        load(redshift, lake, pipeline, {1: committed(lake, 1, {"t": Part(UPSERT, [(1, "a")])})})


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_column_of_another_type_is_refused_until_it_is_renamed(
    redshift: LoadedRedshift, lake: Lake, pipeline: str
) -> None:
    as_number = Table.model_validate(
        {**UPSERT.model_dump(by_alias=True), "columns": {"id": "bigint", "name": "bigint"}}
    )
    batches = started(redshift, lake, pipeline, Part(APPEND, []))
    number = with_contract(lake, batches[2], as_number)

    told = refusal(redshift, lake, pipeline, {**batches, 2: number}, LoadRefusedError)

    assert (
        f"Preparing {pipeline}.t: expected column 'name' to be bigint as in the contract, got character varying" in told
    )
    with redshift.opened() as warehouse:
        warehouse._api.run("Renaming", told.split("`")[1])
    assert load(redshift, lake, pipeline, {**batches, 2: number}) == [2]
    assert redshift.rows(f"SELECT id, name_before, name FROM {pipeline}.t") == [(1, "a", None)]


def with_contract(lake: Lake, outcome: Outcome, contract: Table) -> Outcome:
    manifest = ExportManifest.model_validate_json(lake.read(outcome.export or "") or b"")
    table = manifest.tables["t"].model_copy(update={"contract": contract, "files": ()})
    path = f"export/batch=2/{token_hex(4)}.json"
    assert lake.create(path, manifest.model_copy(update={"tables": {"t": table}}).to_json())
    return outcome.model_copy(update={"export": path})


def test_a_column_that_needs_values_which_the_contract_has_not_is_refused(
    redshift: LoadedRedshift, lake: Lake, pipeline: str
) -> None:
    batches = started(redshift, lake, pipeline, Part(UPSERT, [(2, "b")]))
    with redshift.opened() as warehouse:
        by_hand = f"ALTER TABLE {pipeline}.t ADD COLUMN by_hand INT NOT NULL DEFAULT 0"
        warehouse._api.run("Adding a column", by_hand)

    told = refusal(redshift, lake, pipeline, batches, LoadRefusedError)

    assert (
        "expected the warehouse table to need no column beside the contract's, got 'by_hand', which is NOT NULL" in told
    )
    with redshift.opened() as warehouse:
        warehouse._api.run("Dropping", told.split("`")[1])
    assert load(redshift, lake, pipeline, batches) == [2]
