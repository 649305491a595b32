"""Every source type against every contract type: a value arrives exactly as psycopg reads it in text mode, or is refused by name.

The oracle takes the server's own text of a value, and Python's int, Decimal, float and datetime to read it; none of our casts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from jobs.batches import IdRange
from jobs.config.table import Table
from jobs.contracts.contract import RowContract, source_fields
from jobs.errors import SourceSchemaError
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.sources.postgres_ids import FIRST_BOUND
from jobs.sources.postgres_rows import read_slice
from jobs.sources.postgres_session import exported_snapshot, source_session
from jobs.sources.postgres_slices import id_slices

EVERYTHING = IdRange(after=FIRST_BOUND, ceiling=2**63 - 1)

VALUES: dict[str, list[str]] = {
    "smallint": ["-32768", "0", "32767"],
    "integer": ["-2147483648", "-1", "2147483647"],
    "bigint": ["-9223372036854775808", "9007199254740993", "70000", "9223372036854775807"],
    "numeric": ["12345678901234567890.12345", "-0.1", "1e-20", "5", "1.005", "1e40", "NaN", "Infinity", "-Infinity"],
    "numeric(38,10)": ["1234567890123456789012345678.0123456789", "-0.0000000001"],
    "numeric(10,2)": ["99999999.99", "-1.50", "0", "NaN"],
    "real": ["0.1", "-0", "3.4e38", "1.4e-45", "NaN", "16777216"],
    "double precision": [
        "0.1",
        "-0",
        "5e-324",
        "1.7976931348623157e308",
        "NaN",
        "-Infinity",
        "9007199254740992",
        "1e23",
    ],
    "boolean": ["t", "f"],
    "text": [
        *("", " ", "NaN", "null", "007", "+7", " 7", "1e400", "1e-400", "0.1", "9007199254740993", "99999"),
        *("12345678901234567890.12345", "true", "t", "2024-02-29", "2024-02-30", "2024-01-01 24:00:00"),
        *("2024-01-01 10:00:00+05:30", "0000-01-01", "🍺 é ü", "\\N", "a\"b'c%s{x}", "tab\tline\r\nend", "x" * 61_440),
        *("é" * 32_768, "\u0001", "e\u0301"),
    ],
    "varchar(20)": ["", "trailing  ", "12345678901234567890"],
    "char(5)": ["ab", "", "abcde", "7"],
    "name": ["posts"],
    '"char"': ["x"],
    "uuid": ["00000000-0000-0000-0000-00000000000f"],
    "json": ['{"b":1,  "a":1.10, "a":2}', '"\\u0000"', "null"],
    "jsonb": ['{"b":1,"a":1.10}', "12345678901234567890.123"],
    "mood": ["so so", "👍"],
    "positive": ["1", "2147483647"],
    "nickname": ["", "bob"],
    "integer[]": ["{1,NULL,3}", "{}"],
    "double precision[]": ["{0.1,1e300,NaN}"],
    "text[]": ['{"a,b","",NULL,"NULL","q\\"q"}'],
    "timestamptz[]": ["{2024-01-01 00:00:00.123456+00}"],
    "pair": ['(1,"a b")'],
    "int4range": ["[1,5)", "empty"],
    "money": ["12.50", "-1000000"],
    "bytea": ["\\x00ff", ""],
    "bit(5)": ["10101"],
    "bit varying": ["", "1"],
    "interval": ["1 year -2 mons 3 days -04:05:06.789", "0"],
    "inet": ["10.0.0.1", "10.0.0.1/8", "::1"],
    "cidr": ["10.0.0.0/8"],
    "date": ["2024-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "0044-03-15 BC", "infinity", "-infinity"],
    "timestamp": [
        *(
            "2024-02-29 23:59:59.999999",
            "1969-12-31 23:59:59.000001",
            "0001-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
        ),
        *("294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC", "infinity", "-infinity"),
    ],
    "timestamptz": [
        *("2024-02-29 23:59:59.999999+05:30", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"),
        *("10000-01-01 00:00:00+00", "294276-12-31 23:59:59.999999+00", "0044-03-15 12:00:00 BC", "infinity"),
    ],
    "time": ["24:00:00", "00:00:00", "23:59:59.999999"],
    "timetz": ["12:00:00.5+05:30"],
}
TYPES = """
    CREATE TYPE mood AS ENUM ('so so', '👍');
    CREATE DOMAIN positive_wide AS int CHECK (VALUE > 0);
    CREATE DOMAIN positive AS positive_wide;
    CREATE DOMAIN nickname AS varchar(20);
    CREATE TYPE pair AS (number int, word text);
"""
CONTRACT_TYPES = (
    *("boolean", "smallint", "int", "bigint", "numeric(38,10)", "numeric(10,2)", "numeric(38,0)", "double", "date"),
    *("timestamp", "varchar(5)", "text"),
)
_INTEGERS, _TEXTS, _DECIMALS = (
    ("smallint", "int", "bigint"),
    ("varchar(5)", "text"),
    ("numeric(38,10)", "numeric(10,2)"),
)
MUST_ARRIVE = {
    **dict.fromkeys(("smallint", "integer", "bigint", "positive"), (*_INTEGERS, *_DECIMALS, "numeric(38,0)", *_TEXTS)),
    **dict.fromkeys(("numeric", "numeric(38,10)", "numeric(10,2)"), (*_DECIMALS, *_TEXTS)),
    **dict.fromkeys(("real", "double precision"), ("double", *_TEXTS)),
    "boolean": ("boolean", *_TEXTS),
    "date": ("date", *_TEXTS),
    "timestamp": ("timestamp", *_TEXTS),
    "timestamptz": ("timestamp", *_TEXTS),
}
"""Source type → contract types under which every value that the contract can hold has to be accepted; others: the texts."""

HOSTILE_SETTINGS = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "'Asia/Kathmandu'",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "client_encoding": "SQL_ASCII",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
    "search_path": "nowhere",
}

COLUMNS = {source_type: f"c{number}" for number, source_type in enumerate(VALUES)}
CASES = [(source_type, literal) for source_type, literals in VALUES.items() for literal in literals]


@dataclass(frozen=True)
class Landed:
    """What became of each row, by id: its accepted values, or the reasons of its rejection."""

    accepted: dict[int, dict[str, Any]]
    reasons: dict[int, list[str]]


@pytest.fixture(scope="module")
def typed_source(tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres) -> str:
    """The address of a database with `every_type`: a column per source type; row 0 is all NULL, row n holds only CASES[n - 1]."""
    url = postgres_server.url(tmp_path_factory.mktemp("types").name)
    columns = ", ".join(f"{name} {source_type}" for source_type, name in COLUMNS.items())
    run(url, TYPES, f"CREATE TABLE every_type (id int PRIMARY KEY, {columns})", "INSERT INTO every_type VALUES (0)")
    with psycopg.connect(url, autocommit=True) as connection:
        for number, (source_type, literal) in enumerate(CASES, start=1):
            query = f"INSERT INTO every_type (id, {COLUMNS[source_type]}) VALUES (%s, %s)"
            connection.execute(query, [number, literal])
    return url


def run(url: str, *statements: str) -> None:
    """Executes the statements as they are, in UTF-8."""
    with psycopg.connect(url, autocommit=True, client_encoding="utf8") as connection:
        for statement in statements:
            connection.execute(statement)


def contract(source_table: str, columns: dict[str, Any], cursor: str = "id") -> Table:
    """A contract that reads `source_table`; `id` comes first."""
    return Table.model_validate(
        {
            "from": "database",
            "read": {"table": source_table, "cursor": cursor},
            "key": ["id"],
            "columns": {"id": {"type": "bigint", "from": cursor}, **columns},
            "load": {"mode": "insert"},
        }
    )


def every_column(contract_type: str, nullable: bool = True) -> Table:
    """All columns of `every_type` under one contract type."""
    columns = {name: {"type": contract_type, "nullable": nullable} for name in COLUMNS.values()}
    return contract("public.every_type", columns)


def land(url: str, table: Table, timezone: str = "UTC") -> Landed:
    """Every row of the table, read under a snapshot and judged by its contract."""
    fields = source_fields(table)
    accepted: dict[int, dict[str, Any]] = {}
    reasons: dict[int, list[str]] = {}
    with source_session(url, "types") as session, exported_snapshot(session) as snapshot:
        shares, _ = id_slices(session, "every_type", table, EVERYTHING, fields, timezone)
        pieces = [piece.fields for share in shares for piece in read_slice(url, "types", snapshot.name, share)]
    for piece in pieces:
        piece.validate(full=True)  # Arrow does not look at the bytes of texts by itself
        rows = RowContract(table, fields, piece.schema, empty_is_null=False, timezone=timezone)
        verdict = rows.apply(piece, "every_type")
        accepted |= {row["_record"]: row for row in verdict.accepted.to_pylist()}
        reasons |= {row["record"]: row["reasons"] for row in verdict.rejected.to_pylist()}
    assert len(accepted) + len(reasons) == sum(share.records for share in shares)
    return Landed(accepted, reasons)


def text_on_the_wire(url: str, source_type: str) -> dict[int, str]:
    """Row of `every_type` → the server's text of its value of this type, under the settings that we promise."""
    settings = (
        "-c DateStyle=ISO,YMD -c IntervalStyle=iso_8601 -c TimeZone=UTC -c bytea_output=hex -c extra_float_digits=1"
    )
    column = COLUMNS[source_type]
    query = f"SELECT id, {column} FROM every_type WHERE num_nonnulls({column}) = 1"
    with psycopg.connect(url, client_encoding="utf8", options=settings) as connection:
        result = connection.execute(query).pgresult
    assert result is not None
    rows = [(result.get_value(row, 0), result.get_value(row, 1)) for row in range(result.ntuples)]
    return {int(number or 0): (text or b"").decode() for number, text in rows}


def exact(text: str, source_type: str, contract_type: str) -> Any:
    """What `text` is in the contract's type, or None where that type cannot hold it exactly."""
    if contract_type in _TEXTS:
        text = {"t": "true", "f": "false"}[text] if source_type == "boolean" else text
        return text if len(text.encode()) <= (5 if contract_type == "varchar(5)" else 65_535) else None
    if contract_type == "boolean":
        return {"t": True, "true": True, "f": False, "false": False}.get(text)
    if contract_type in ("date", "timestamp"):
        return _moment(text, contract_type)
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?|NaN|[+-]?Infinity", text):
        return None
    if contract_type == "double":
        return _double(text, source_type)
    number = Decimal(text)
    if contract_type in _INTEGERS:
        bits = {"smallint": 15, "int": 31, "bigint": 63}[contract_type]
        return int(number) if re.fullmatch(r"[+-]?\d+", text) and -(2**bits) <= number < 2**bits else None
    precision, scale = map(int, re.findall(r"\d+", contract_type))
    if not number.is_finite() or abs(number) >= Decimal(10) ** (precision - scale):
        return None
    return number if number == number.quantize(Decimal(1).scaleb(-scale), context=Context(prec=100)) else None


def _double(text: str, source_type: str) -> float | None:
    """A double keeps a decimal if its shortest text is the same number; a real is read as what it is in binary. A text that a
    contract calls double is the nearest one."""
    value = float(text)
    if source_type == "real":
        return float(pa.scalar(value, pa.float32()).as_py())
    if source_type == "double precision" or "Inf" in text or math.isnan(value):
        return value
    is_a_number = source_type.split("(")[0] in ("smallint", "integer", "bigint", "numeric", "positive")
    return value if Decimal(repr(value)) == Decimal(text) or not is_a_number else None


def _moment(text: str, contract_type: str) -> date | datetime | None:
    if contract_type == "date":
        return (
            date.fromisoformat(text)
            if re.fullmatch(r"(?!0000)\d{4}-(0\d|1[0-2])-[0-2]\d", text) or text in _DAYS
            else None
        )
    if not re.fullmatch(r"(?!0000)\d{4}-\d\d-\d\d [01]\d:\d\d:\d\d(\.\d+)?([+-]\d\d(:\d\d)?)?|.* 2[0-3]:.*", text):
        return None
    if "BC" in text or len(text.split("-")[0]) > 4:
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_DAYS = ("9999-12-31",)


def same(got: Any, expected: Any) -> bool:
    """Equal, of one type, and for floats the same bits but for the kind of NaN."""
    if isinstance(expected, float) and isinstance(got, float):
        return got.hex() == expected.hex()
    return type(got) is type(expected) and got == expected


@pytest.mark.parametrize("contract_type", CONTRACT_TYPES)
def test_every_value_is_exact_or_refused_by_name(typed_source: str, contract_type: str) -> None:
    landed = land(typed_source, every_column(contract_type))
    assert set(landed.accepted[0].values()) == {0, None, "every_type"}
    wrong: list[str] = []
    for source_type, column in COLUMNS.items():
        texts = text_on_the_wire(typed_source, source_type)
        assert len(texts) == len(VALUES[source_type])
        for row, text in texts.items():
            expected = exact(text, source_type, contract_type)
            must_arrive = expected is not None and contract_type in MUST_ARRIVE.get(source_type, _TEXTS)
            got = landed.accepted[row][column] if row in landed.accepted else tuple(landed.reasons[row])
            shown = {"t": "true", "f": "false"}[text] if source_type == "boolean" else text
            is_refused_by_name = got == (f"{column}: expected {contract_type}, got '{shown[:60]}'",)
            if not (same(got, expected) or (is_refused_by_name and not must_arrive)):
                wrong.append(f"{source_type} {text!r:.60}: expected {expected!r:.60}, got {got!r:.99}")
    assert wrong == []


def test_a_null_is_refused_where_none_may_be(typed_source: str) -> None:
    reasons = land(typed_source, every_column("text", nullable=False)).reasons[0]
    assert reasons == [f"{column}: expected a value, got NULL" for column in COLUMNS.values()]


@pytest.mark.parametrize("contract_type", ["text", "double", "timestamp", "numeric(38,10)"])
def test_settings_of_the_role_change_nothing(
    postgres_server: EmbeddedPostgres, typed_source: str, contract_type: str
) -> None:
    settings = [f"ALTER ROLE hostile SET {name} = {value}" for name, value in HOSTILE_SETTINGS.items()]
    role = "CREATE ROLE hostile LOGIN PASSWORD 'hostile' IN ROLE pg_read_all_data"
    run(typed_source, "DROP ROLE IF EXISTS hostile", role, *settings)
    database = typed_source.rsplit("/", 1)[1]
    hostile = f"postgresql://hostile:hostile@127.0.0.1:{postgres_server.port}/{database}"
    with psycopg.connect(hostile) as connection:
        assert connection.execute("SHOW extra_float_digits").fetchone() in [("-15",), (b"-15",)]
    table = every_column(contract_type)
    assert repr(land(hostile, table)) == repr(land(typed_source, table))


def test_a_database_of_another_encoding_arrives_in_utf_8(postgres_server: EmbeddedPostgres) -> None:
    url = another_encoding(postgres_server, "LATIN1")
    run(url, "CREATE TABLE posts (id int, café text)", "INSERT INTO posts VALUES (1, 'é ü ÿ')")
    assert (
        land(url, contract("public.posts", {"word": {"type": "text", "from": "café"}})).accepted[1]["word"] == "é ü ÿ"
    )


def test_bytes_that_are_no_text_are_refused(postgres_server: EmbeddedPostgres) -> None:
    url = another_encoding(postgres_server, "SQL_ASCII")
    run(url, "CREATE TABLE posts (id int, word text)", "INSERT INTO posts VALUES (1, 'é')")
    table = contract("public.posts", {"word": "text"})
    assert land(url, table).accepted[1]["word"] == "é"
    run(url, r"INSERT INTO posts SELECT 2, convert_from('\xe9', 'SQL_ASCII')")
    with pytest.raises(SourceSchemaError, match='invalid byte sequence for encoding "UTF8": 0xe9'):
        land(url, table)


def another_encoding(server: EmbeddedPostgres, encoding: str) -> str:
    options = "LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    run(server.url("postgres"), f"CREATE DATABASE in_{encoding} ENCODING '{encoding}' {options}")
    return server.url(f"in_{encoding}".lower())


ODD_NAMES = [
    'Up"per',
    "per%cent%s",
    "{brace}",
    "it's",
    "ünï🍺",
    "two words",
    "a,b",
    "select",
    "x" * 63,
    "-- c",
    "$1",
    "\\",
]


@pytest.mark.parametrize("relation", ["TABLE", "VIEW"])
def test_names_may_hold_anything(postgres_server: EmbeddedPostgres, relation: str) -> None:
    url = postgres_server.url("odd_names")
    schema, name, cursor = '{sch"e%s}', f"Ta'ble%d{{0}}🍺{relation}", 'I"d%{after}'
    columns = ", ".join(f"{quoted(each)} timestamp" for each in ODD_NAMES)
    values = ", ".join(f"'2024-01-01 00:00:{number:02d}'" for number in range(len(ODD_NAMES)))
    infinite = ", ".join(["'infinity'"] * len(ODD_NAMES))
    target = f"{quoted(schema)}.{quoted(name)}"
    made = target if relation == "TABLE" else f"{quoted(schema)}.under"
    run(
        url,
        f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}",
        f"CREATE TABLE {made} ({quoted(cursor)} bigint, {columns})",
    )
    run(url, f"INSERT INTO {made} VALUES (7, {values}), (8, {infinite})")
    if relation == "VIEW":
        run(url, f"CREATE VIEW {target} AS SELECT * FROM {made}")
    kind = {"type": "timestamp", "nullable": True}
    fields = {f"c{number}": {**kind, "from": each} for number, each in enumerate(ODD_NAMES)}
    landed = land(url, contract(f"{schema}.{name}", fields, cursor))
    expected = [datetime(2024, 1, 1, 0, 0, second, tzinfo=UTC) for second in range(len(ODD_NAMES))]
    assert [landed.accepted[7][column] for column in fields] == expected
    assert landed.reasons == {8: [f"{column}: expected timestamp, got 'infinity'" for column in fields]}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_names_that_cannot_be_told_apart_are_refused(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("unclear_names")
    run(url, 'CREATE TABLE posts (id int, name text, "Name" text, _record text, _inexact_id text)')
    for fields in (["name", "Name"], ["_record"], ["_inexact_id"]):
        table = contract("public.posts", {f"c{number}": {"type": "text", "from": f} for number, f in enumerate(fields)})
        with pytest.raises(SourceSchemaError, match=f"got {', '.join(sorted(fields))}. Let every_type read a view"):
            land(url, table)


def test_a_missing_table_or_column_is_refused_with_what_may_be_meant(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("missing_names")
    run(url, "CREATE TABLE posts (id int, owner_user_id int)")
    with pytest.raises(SourceSchemaError, match=r"Reading public.post: .* got none \(near: public.posts\)"):
        land(url, contract("public.post", {}))
    with pytest.raises(SourceSchemaError, match=r"expected the columns owner_userid \(near: owner_user_id\), zzz, got"):
        land(url, contract("public.posts", {"owner_userid": "int", "zzz": "int"}))


def test_one_field_may_have_two_types(postgres_server: EmbeddedPostgres) -> None:
    url = postgres_server.url("two_types")
    rows = "(1, '2024-01-02 03:04:05.5+00', 70000), (2, 'infinity', 7)"
    run(url, "CREATE TABLE posts (id int, at timestamptz, n int)", f"INSERT INTO posts VALUES {rows}")
    fields = {"at_time": "timestamp", "at_text": "text", "n_number": "int", "n_text": "varchar(5)"}
    table = contract(
        "public.posts", {name: {"type": kind, "from": name.split("_")[0]} for name, kind in fields.items()}
    )
    landed = land(url, table)
    expected = [datetime(2024, 1, 2, 3, 4, 5, 500_000, UTC), "2024-01-02 03:04:05.5+00", 70000, "70000"]
    assert [landed.accepted[1][name] for name in fields] == expected
    assert landed.reasons == {2: ["at_time: expected timestamp, got 'infinity'"]}


def test_local_times_follow_the_zone_of_the_feed(postgres_server: EmbeddedPostgres) -> None:
    """The later one of an hour that comes twice, as for files; an hour that never was is refused."""
    url = postgres_server.url("local_times")
    values = (
        "(1, '2024-07-01 12:00:00.000001'), (2, '2024-11-03 01:30:00'), (3, '2024-03-10 02:30:00'), (4, 'infinity')"
    )
    run(url, "CREATE TABLE posts (id int, at timestamp)", f"INSERT INTO posts VALUES {values}")
    landed = land(url, contract("public.posts", {"at": "timestamp"}), timezone="America/New_York")
    assert {number: row["at"].isoformat() for number, row in landed.accepted.items()} == {
        1: "2024-07-01T16:00:00.000001+00:00",
        2: "2024-11-03T06:30:00+00:00",
    }
    refused = {3: "2024-03-10 02:30:00", 4: "infinity"}
    assert landed.reasons == {number: [f"at: expected timestamp, got '{text}'"] for number, text in refused.items()}
