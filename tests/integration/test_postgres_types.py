"""Every source type against every contract type: a value arrives exactly as psycopg reads it in text mode, or is refused by name.

The oracle takes the server's own text of a value, and Python's int, Decimal, float and datetime to read it; none of our casts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql

from jobs.batches import IdRange
from jobs.config.pipeline import Table
from jobs.contracts.contract import RowContract, source_fields
from jobs.errors import SourceSchemaError
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.sources.postgres_ids import FIRST_BOUND
from jobs.sources.postgres_rows import read_slice, slices
from jobs.sources.postgres_session import exported_snapshot, source_session

EVERYTHING = IdRange(after=FIRST_BOUND, ceiling=2**63 - 1)

VALUES: dict[str, list[str]] = {
    "smallint": ["-32768", "0", "32767"],
    "integer": ["-2147483648", "-1", "2147483647"],
    "bigint": ["-9223372036854775808", "9007199254740993", "70000", "9223372036854775807"],
    "numeric": ["12345678901234567890.12345", "-0.1", "1e-20", "5", "1.005", "1e40", "NaN", "Infinity", "-Infinity"],
    "numeric(38,10)": ["1234567890123456789012345678.0123456789", "-0.0000000001"],
    "numeric(10,2)": ["99999999.99", "-1.50", "0", "NaN"],
    "real": ["0.1", "-0", "3.4e38", "1.4e-45", "NaN", "16777216"],
    "double precision": ["0.1", "-0", "5e-324", "1.7976931348623157e308", "NaN", "-Infinity", "9007199254740992", "1e23"],
    "boolean": ["t", "f"],
    "text": [
        *("", " ", "NaN", "null", "007", "+7", " 7", "1e400", "1e-400", "0.1", "9007199254740993", "99999"),
        *("12345678901234567890.12345", "true", "t", "2024-02-29", "2024-02-30", "2024-01-01 24:00:00"),
        *("2024-01-01 10:00:00+05:30", "0000-01-01", "🍺 é ü", "\\N", 'a"b\'c%s{x}', "tab\tline\r\nend", "x" * 61_440),
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
    "bytea": ["\\x00ff", ""],
    "bit(5)": ["10101"],
    "bit varying": ["", "1"],
    "interval": ["1 year -2 mons 3 days -04:05:06.789", "0"],
    "inet": ["10.0.0.1", "10.0.0.1/8", "::1"],
    "cidr": ["10.0.0.0/8"],
    "date": ["2024-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "0044-03-15 BC", "infinity", "-infinity"],
    "timestamp": [
        *("2024-02-29 23:59:59.999999", "1969-12-31 23:59:59.000001", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
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
_INTEGERS, _TEXTS, _DECIMALS = ("smallint", "int", "bigint"), ("varchar(5)", "text"), ("numeric(38,10)", "numeric(10,2)")
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
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "idle_in_transaction_session_timeout": "5s",
    "search_path": "nowhere",
}


@dataclass(frozen=True)
class Landed:
    """What became of each row, by id: its accepted values, or the reasons of its rejection."""

    accepted: dict[int, dict[str, Any]]
    reasons: dict[int, list[str]]


@pytest.fixture(scope="module")
def typed_source(postgres_server: EmbeddedPostgres) -> str:
    """The address of a database with one table per source type: `id`, `value`; row 0 is NULL, row n the n-th value."""
    url = postgres_server.url("types")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TYPES)
        for number, (source_type, literals) in enumerate(VALUES.items()):
            connection.execute(f"CREATE TABLE type_{number} (id int PRIMARY KEY, value {source_type})")  # type: ignore[arg-type]
            rows = [(0, None), *enumerate(literals, start=1)]
            with connection.cursor() as cursor:
                cursor.executemany(f"INSERT INTO type_{number} VALUES (%s, %s)", rows)  # type: ignore[arg-type]
    return url


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


def land(url: str, tables: list[Table], timezone: str = "UTC") -> list[Landed]:
    """Every row of the tables, read under one snapshot and judged by their contracts."""
    with source_session(url, "types") as session, exported_snapshot(session) as snapshot:
        return [_land(url, session, snapshot, table, timezone) for table in tables]


def _land(url: str, session: Any, snapshot: str, table: Table, timezone: str) -> Landed:
    fields = source_fields(table)
    shares, _ = slices(session, "t", table, EVERYTHING, fields, timezone)
    pieces = [piece.fields for share in shares for piece in read_slice(url, "types", snapshot, share)]
    assert sum(piece.num_rows for piece in pieces) == sum(share.records for share in shares)
    accepted: dict[int, dict[str, Any]] = {}
    reasons: dict[int, list[str]] = {}
    for piece in pieces:
        rows = RowContract(table, fields, piece.schema, empty_is_null=False, timezone=timezone)
        verdict = rows.apply(piece, "t")
        verdict.accepted.validate(full=True)
        accepted |= {row["_record"]: row for row in verdict.accepted.to_pylist()}
        reasons |= {row["record"]: row["reasons"] for row in verdict.rejected.to_pylist()}
        assert verdict.filtered == 0 and len(accepted) + len(reasons) == pa.concat_tables(pieces).num_rows
    return Landed(accepted, reasons)


def texts(url: str, query: str) -> dict[int, str | None]:
    """First column → the server's text of the second, as it is on the wire, under the settings that we promise."""
    with psycopg.connect(url, client_encoding="utf8") as connection:
        for setting in ("DateStyle = 'ISO, YMD'", "IntervalStyle = 'iso_8601'", "TimeZone = 'UTC'", "bytea_output = 'hex'"):
            connection.execute(f"SET {setting}")  # type: ignore[arg-type]
        connection.execute("SET extra_float_digits = 1")
        result = connection.execute(query).pgresult  # type: ignore[arg-type]
        assert result is not None
        rows = [(result.get_value(row, 0), result.get_value(row, 1)) for row in range(result.ntuples)]
    return {int(key or 0): None if text is None else text.decode() for key, text in rows}


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
    return number if number == number.quantize(Decimal(1).scaleb(-scale), context=_WIDE) else None


_WIDE = __import__("decimal").Context(prec=100)


def _double(text: str, source_type: str) -> float | None:
    """A double keeps a decimal if its shortest text is the same number; a real is read as what it is in binary."""
    value = float(text)
    if source_type == "real" and math.isfinite(value):
        return float(pa.scalar(value, pa.float32()).as_py())
    if "Inf" in text or math.isnan(value):
        return value
    return value if math.isfinite(value) and Decimal(repr(value)) == Decimal(text) else None


def _moment(text: str, contract_type: str) -> date | datetime | None:
    if contract_type == "date":
        return date.fromisoformat(text) if re.fullmatch(r"(?!0000)\d{4}-(0\d|1[0-2])-[0-2]\d", text) or text in _DAYS else None
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


@pytest.mark.parametrize("source_type", VALUES)
def test_every_value_is_exact_or_refused_by_name(typed_source: str, source_type: str) -> None:
    name = f"type_{list(VALUES).index(source_type)}"
    nullable = [contract(f"public.{name}", {"value": {"type": kind, "nullable": True}}) for kind in CONTRACT_TYPES]
    originals = texts(typed_source, f"SELECT id, value FROM {name}")
    assert len(originals) == len(VALUES[source_type]) + 1
    for kind, landed in zip(CONTRACT_TYPES, land(typed_source, nullable), strict=True):
        for record, text in originals.items():
            expected = None if text is None else exact(text, source_type, kind)
            case = f"{source_type} {text!r:.60} as {kind}"
            if record in landed.accepted:
                got = landed.accepted[record]["value"]
                assert (text is None and got is None) or (text is not None and same(got, expected)), f"{case}: got {got!r}"
            else:
                (reason,) = landed.reasons[record]
                shown = {"t": "true", "f": "false"}.get(str(text), str(text)) if source_type == "boolean" else str(text)
                assert reason.startswith(f"value: expected {kind}, got '{shown[:60]}"), f"{case}: {reason}"
                must_arrive = kind in MUST_ARRIVE.get(source_type, _TEXTS)
                assert not (must_arrive and expected is not None), f"{case} was refused: {reason}"


def test_a_null_is_refused_where_none_may_be(typed_source: str) -> None:
    tables = [contract(f"public.type_{number}", {"value": "text"}) for number in range(len(VALUES))]
    for landed in land(typed_source, tables):
        assert landed.reasons.pop(0) == ["value: expected a value, got NULL"]


def test_settings_of_the_role_change_nothing(postgres_server: EmbeddedPostgres, typed_source: str) -> None:
    with psycopg.connect(typed_source, autocommit=True) as connection:
        connection.execute("CREATE ROLE hostile LOGIN PASSWORD 'hostile' IN ROLE pg_read_all_data")
        for name, value in HOSTILE_SETTINGS.items():
            connection.execute(sql.SQL("ALTER ROLE hostile SET {} = {}").format(sql.Identifier(name), value))
    hostile = f"postgresql://hostile:hostile@127.0.0.1:{postgres_server.port}/types"
    with psycopg.connect(hostile) as connection:
        assert connection.execute("SHOW bytea_output").fetchone() == ("escape",)
    kinds = ("text", "double", "timestamp", "numeric(38,10)")
    tables = [
        contract(f"public.type_{number}", {"value": {"type": kind, "nullable": True}})
        for number in range(len(VALUES))
        for kind in kinds
    ]
    for usual, under_settings in zip(land(typed_source, tables), land(hostile, tables), strict=True):
        assert repr(under_settings) == repr(usual)
