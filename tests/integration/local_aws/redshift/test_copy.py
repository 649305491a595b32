"""COPY of Parquet files by manifest: one test per rule of AWS's documents."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from secrets import token_hex
from typing import Any

import pyarrow as pa
import pytest

from tests.integration.local_aws.redshift.conftest import Depot, make_role
from tests.integration.local_aws.redshift.data_api import BUCKET, Redshift


def ids(*values: int | None) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64())})


def load_errors(redshift: Redshift, told: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What the system view keeps of a failed COPY: object, column, its type and length, the code."""
    return redshift.rows(
        "SELECT file_name, column_name, column_type, column_length, error_code FROM sys_load_error_detail "
        f"WHERE query_id = {told['RedshiftQueryId']}"
    )


def test_values_arrive_as_they_are(redshift: Redshift) -> None:
    """ "COPY from columnar data formats": COPY inserts values in the same order as the columns occur in the data files."""
    redshift.run(
        "CREATE TABLE {s}.t (a SMALLINT, b INT, c BIGINT, d DECIMAL(38, 9), e REAL, f DOUBLE PRECISION, g BOOLEAN, h DATE, "
        "i TIMESTAMP, j TIMESTAMP, k VARCHAR(20))"
    )
    row: dict[str, tuple[Any, pa.DataType]] = {
        "a": (-32768, pa.int16()),
        "b": (-(2**31), pa.int32()),
        "c": (2**63 - 1, pa.int64()),
        "d": (Decimal("12345678901234567890123456789.123456789"), pa.decimal128(38, 9)),
        "e": (0.5, pa.float32()),
        "f": (0.1, pa.float64()),
        "g": (True, pa.bool_()),
        "h": (date(1900, 2, 28), pa.date32()),
        "i": (datetime.fromisoformat("2026-01-02T03:04:05.678901"), pa.timestamp("us")),
        "j": (datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), pa.timestamp("us", tz="UTC")),
        "named otherwise": ("é\\N\t\n'", pa.string()),
    }
    table = pa.table({name: pa.array([value, None], type_) for name, (value, type_) in row.items()})
    told = redshift.run(redshift.copy("t", redshift.put_parquet("f.parquet", table)))
    assert told["ResultRows"] == 2
    at = "2026-01-02 03:04:05.678901"
    assert redshift.rows("SELECT * FROM {s}.t ORDER BY a") == [
        (-32768, -(2**31), 2**63 - 1, "12345678901234567890123456789.123456789", 0.5, 0.1, True, "1900-02-28", at, at, "é\\N\t\n'"),
        (None,) * 11,
    ]  # fmt: skip


def test_all_files_of_the_manifest_are_loaded(redshift: Redshift) -> None:
    """ "Using a manifest to specify data files": COPY loads all of the required files, and only the required files."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    redshift.put_parquet("unnamed.parquet", ids(9))
    redshift.run(redshift.copy("t", *(redshift.put_parquet(f"{n}.parquet", ids(n)) for n in range(3))))
    assert redshift.rows("SELECT id FROM {s}.t ORDER BY id") == [(0,), (1,), (2,)]


@pytest.mark.parametrize("meta", [None, {}], ids=["no meta", "no length"])
def test_the_manifest_needs_the_length_of_each_file(redshift: Redshift, meta: dict[str, int] | None) -> None:
    """ "Using a manifest created by UNLOAD": meta.content_length is required for loading files in ORC or Parquet."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    entry = redshift.put_parquet("f.parquet", ids(1))
    del entry["meta"]
    told = redshift.try_(redshift.copy("t", entry | ({} if meta is None else {"meta": meta})))
    assert told["Status"] == "FAILED"
    assert "'meta'" in told["Error"]
    assert load_errors(redshift, told) == [(entry["url"], "", "", "", 15003)]


def test_a_wrong_length_is_refused(redshift: Redshift) -> None:
    """ "Using a manifest created by UNLOAD": content_length is the actual size of the file in bytes."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    entry = redshift.put_parquet("f.parquet", ids(1))
    entry["meta"]["content_length"] += 1
    assert "The requested range is not satisfiable" in redshift.error(redshift.copy("t", entry))


def test_a_missing_mandatory_file_is_refused(redshift: Redshift) -> None:
    """ "Using a manifest to specify data files": mandatory: whether COPY should return an error if the file is not found."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    there = redshift.put_parquet("f.parquet", ids(1))
    gone = there | {"url": there["url"] + ".gone"}
    told = redshift.try_(redshift.copy("t", there, gone))
    assert "Mandatory url is not present in manifest file." in told["Error"]
    assert load_errors(redshift, told) == [(gone["url"], "", "", "", 8001)]
    assert redshift.rows("SELECT * FROM {s}.t") == []


def test_a_missing_file_that_is_not_mandatory_is_passed_over(redshift: Redshift) -> None:
    """ "Using a manifest to specify data files": the default of mandatory is false; COPY terminates if no files are found."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    there = redshift.put_parquet("f.parquet", ids(1))
    gone = {"url": there["url"] + ".gone", "meta": there["meta"]}
    redshift.run(redshift.copy("t", there, gone))
    assert redshift.rows("SELECT * FROM {s}.t") == [(1,)]
    redshift.error(redshift.copy("t", gone))


def test_a_file_has_as_many_columns_as_the_table(redshift: Redshift) -> None:
    """ "COPY from columnar data formats": the number of columns in the target table and in the data file must match."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT, v INT)")
    entry = redshift.put_parquet("f.parquet", ids(1))
    told = redshift.try_(redshift.copy("t", entry))
    assert "Unmatched number of columns between table and file. Table columns: 2, Data columns: 1" in told["Error"]
    assert load_errors(redshift, told) == [(entry["url"], "", "", "", 15007)]


@pytest.mark.parametrize(
    "type_, of_file",
    [
        ("BIGINT", pa.int32()),
        ("INT", pa.int64()),
        ("SMALLINT", pa.int32()),
        ("BIGINT", pa.uint64()),
        ("DECIMAL(10, 2)", pa.decimal128(10, 3)),
        ("DECIMAL(10, 2)", pa.decimal128(12, 2)),
        ("DOUBLE PRECISION", pa.float32()),
        ("VARCHAR(20)", pa.binary()),
        ("VARCHAR(20)", pa.int64()),
        ("TIMESTAMP", pa.timestamp("ns")),
        ("DATE", pa.string()),
    ],
    ids=str,
)
def test_types_are_not_converted(redshift: Redshift, type_: str, of_file: pa.DataType) -> None:
    """ "COPY from columnar data formats", which reads through Spectrum: "CREATE EXTERNAL TABLE" lists which types correspond."""
    redshift.run(f"CREATE TABLE {{s}}.t (id BIGINT, v {type_})")
    table = ids(1).append_column("v", pa.array([None], of_file))
    entry = redshift.put_parquet("f.parquet", table)
    told = redshift.try_(redshift.copy("t", entry))
    assert f"has an incompatible Parquet schema for column '{entry['url']}.v'" in told["Error"]
    assert [row[:2] for row in load_errors(redshift, told)] == [(entry["url"], "v")]


def test_a_text_that_is_too_long_in_bytes_is_refused(redshift: Redshift) -> None:
    """ "Character types": VARCHAR(n) holds n bytes; "COPY from columnar data formats": an error fails the command."""
    redshift.run("CREATE TABLE {s}.t (v VARCHAR(5))")
    fits, long = (redshift.put_parquet(f"{text}.parquet", pa.table({"v": [text]})) for text in ("éé", "ééé"))
    told = redshift.try_(redshift.copy("t", fits, long))
    assert "is longer than the length defined in the table. Table: 5, Data: 6" in told["Error"]
    assert load_errors(redshift, told) == [(long["url"], "v", "varchar", "5", 15001)]
    assert redshift.rows("SELECT * FROM {s}.t") == []


def test_null_is_refused_for_a_not_null_column(redshift: Redshift) -> None:
    """ "Defining constraints": Amazon Redshift enforces NOT NULL column constraints."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT NOT NULL)")
    told = redshift.try_(redshift.copy("t", redshift.put_parquet("f.parquet", ids(1, None))))
    assert "Cannot insert a NULL value into column id" in told["Error"]
    assert [row[1] for row in load_errors(redshift, told)] == ["id"]


def test_a_role_has_to_be_associated(redshift: Redshift, depot: Depot) -> None:
    """ "Authorizing COPY and UNLOAD operations using IAM roles": the role must be associated with the warehouse."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    role = make_role(depot.aws, f"other-{token_hex(4)}", "*")
    told = redshift.error(redshift.copy("t", redshift.put_parquet("f.parquet", ids(1)), role=role))
    assert f"The requested role {role} is not associated to cluster" in told


@pytest.mark.parametrize("service", [None, "ec2.amazonaws.com"], ids=["gone", "trusts another service"])
def test_a_role_has_to_exist_and_to_trust_redshift(redshift: Redshift, depot: Depot, service: str | None) -> None:
    """ "Authorizing Amazon Redshift to access AWS services on your behalf": the trust names redshift.amazonaws.com."""
    name = f"other-{token_hex(4)}"
    role = f"arn:aws:iam::123456789012:role/{name}" if service is None else make_role(depot.aws, name, "*", service)
    serverless = depot.aws.client("redshift-serverless")
    serverless.update_namespace(namespaceName="depot", iamRoles=[depot.copy_role, role])
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    told = redshift.error(redshift.copy("t", redshift.put_parquet("f.parquet", ids(1)), role=role))
    assert f"Not authorized to get credentials of role {role}" in told


def test_a_role_reads_only_what_its_policies_allow(redshift: Redshift) -> None:
    """ "IAM permissions for COPY, UNLOAD, CREATE LIBRARY": COPY must have GET access for the bucket objects."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    entry = redshift.put_parquet("f.parquet", ids(1))
    told = redshift.error(redshift.copy("t", entry | {"url": f"s3://{BUCKET}/raw/f.parquet"}))
    assert "Access Denied" in told


@pytest.mark.parametrize(
    "content, told",
    [
        (None, "Problem reading manifest file - S3ServiceException:The specified key does not exist."),
        (b"{", "Manifest file is not in correct json format"),
        (json.dumps({"files": []}).encode(), "Manifest file is not in correct json format"),
    ],
    ids=["gone", "no JSON", "no entries"],
)
def test_a_manifest_has_to_be_one(redshift: Redshift, content: bytes | None, told: str) -> None:
    """ "Using a manifest to specify data files": a JSON-formatted text file that explicitly lists the files to be loaded."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    copy = redshift.copy("t")
    redshift.put("manifest" if content else "unused", content or b"")
    assert told in redshift.error(copy if content else copy.replace("/manifest'", "/gone'"))


@pytest.mark.parametrize("option", ["MAXERROR 3", "ACCEPTANYDATE", "COMPUPDATE ON"])
def test_options_of_other_formats_are_refused(redshift: Redshift, option: str) -> None:
    """ "COPY from columnar data formats": MAXERROR and ACCEPTANYDATE aren't supported for columnar data types."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    assert "not supported for PARQUET" in redshift.error(redshift.copy("t") + " " + option)


def test_a_copy_in_a_batch_is_rolled_back_with_it(redshift: Redshift) -> None:
    """ "Managing concurrent write operations": statements in a transaction block commit as one transaction."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    redshift.error([redshift.copy("t", redshift.put_parquet("f.parquet", ids(1))), "SELECT 1 FROM {s}.nowhere"])
    assert redshift.rows("SELECT * FROM {s}.t") == []


def test_a_table_that_is_not_there_cannot_be_loaded(redshift: Redshift) -> None:
    """ "COPY": the table must already exist in the database."""
    assert "Cannot COPY into nonexistent table t" in redshift.error(redshift.copy("t"))


def test_load_errors_are_their_users_own(redshift: Redshift, depot: Depot) -> None:
    """ "SYS_LOAD_ERROR_DETAIL": superusers can see all rows; regular users can see only their own data."""
    redshift.run("CREATE TABLE {s}.t (id BIGINT)")
    told = redshift.try_(redshift.copy("t", {"url": "s3://x/y"}))
    assert len(load_errors(redshift, told)) == 1
    engineer = Redshift(depot.aws, "", None, redshift.schema)
    assert load_errors(engineer, told) == []
