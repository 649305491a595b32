"""What is read of a record and what is kept of a rejected one: empty fields, reasons, raw JSON, odd headers, transforms."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.contracts.contract import REJECTED
from tests.unit.contracts.judging import FEW, REFUSED, WORDS, differences, judge, read_as, reasons

ANYTHING = st.text(st.sampled_from("\"'\\\n\r\0{}[],:;é😀\u2028\u2029") | st.characters(codec="utf-8"), max_size=9)


# --- empty fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "nullable", "empty_is_null", "expected"),
    [
        ("text", True, True, None),
        ("text", True, False, ""),
        ("text", False, True, ""),
        ("text", False, False, ""),
        ("bigint", True, True, None),
        ("bigint", True, False, REFUSED),
        ("bigint", False, True, REFUSED),
        ("bigint", False, False, REFUSED),
    ],
)
def test_takes_an_empty_field_as_null_only_where_that_is_a_value(
    kind: str, nullable: bool, empty_is_null: bool, expected: object
) -> None:
    verdict = judge({"value": {"type": kind, "nullable": nullable}}, {"value": [""]}, empty_is_null=empty_is_null)
    found = verdict.accepted["value"].to_pylist() if verdict.accepted.num_rows else [REFUSED]
    assert found == [expected]


@pytest.mark.parametrize(
    "kind", ["text", "varchar(3)", "bigint", "numeric(5,2)", "boolean", "date", "timestamp", "double"]
)
def test_rejects_null_where_it_is_no_value(kind: str) -> None:
    assert reasons({"value": kind}, {"value": [None]}) == {1: ["value: expected a value, got NULL"]}


# --- reasons ----------------------------------------------------------------------------------------------------------


def test_gives_every_reason_of_a_record_with_what_was_delivered() -> None:
    columns = {
        "id": "int",
        "price": "numeric(5,2)",
        "name": {"type": "text", "pattern": "^[a-z]+$"},
        "age": {"type": "int", "minimum": 0, "maximum": 150},
    }
    fields = {"id": ["x", "1"], "price": ["1.005", "1"], "name": ["O'Neil", "a"], "age": ["200", "7"]}
    assert reasons(columns, fields) == {
        1: [
            "id: expected int, got 'x'",
            "price: expected numeric(5,2), got '1.005'",
            "name: expected a match of ^[a-z]+$, got 'O'Neil'",
            "age: expected at most 150, got '200'",
        ]
    }


def test_shows_the_beginning_of_a_long_value_and_keeps_all_of_it() -> None:
    rejected = judge({"id": "int"}, {"id": ["é" * 1000]}).rejected.to_pylist()[0]
    assert rejected["reasons"] == [f"id: expected int, got '{'é' * 60}'"]
    assert json.loads(rejected["raw"]) == {"id": "é" * 1000}


def test_a_value_that_arrow_could_not_hold_is_named_as_the_source_wrote_it() -> None:
    columns = {"at": {"type": "timestamp", "nullable": True}, "day": "date"}
    fields = {
        "at": pa.array([None, None, 0], pa.timestamp("us")),
        "_inexact_at": ["infinity", None, None],
        "day": pa.array([None, 1, 1], pa.date32()),
        "_inexact_day": ["4713-01-01 BC", None, None],
    }
    verdict = judge(columns, fields)
    assert verdict.accepted["_record"].to_pylist() == [2, 3]
    (rejected,) = verdict.rejected.to_pylist()
    assert rejected["reasons"] == ["at: expected timestamp, got 'infinity'", "day: expected date, got '4713-01-01 BC'"]
    assert json.loads(rejected["raw"]) == {"at": "infinity", "day": "4713-01-01 BC"}


def test_a_rejected_record_keeps_its_place() -> None:
    rejected = judge({"id": "int"}, {"id": ["1", "x", "2", "y"]}).rejected
    assert rejected.schema == REJECTED
    assert rejected.select(["table", "object", "record", "offset"]).to_pylist() == [
        {"table": None, "object": "o.csv", "record": 2, "offset": 10},
        {"table": None, "object": "o.csv", "record": 4, "offset": 30},
    ]


# --- raw --------------------------------------------------------------------------------------------------------------


NAMES = [
    "id",
    "ID",
    "",
    "select",
    'a"b',
    "it's",
    "_fate",
    "_reasons",
    "_bound_id",
    "_typed_id",
    "piece",
    "f0",
    "é",
    "a\0b",
    "*",
]


@given(st.lists(st.lists(ANYTHING | st.none(), min_size=15, max_size=15), min_size=30, max_size=40))
@FEW
def test_keeps_the_fields_of_a_rejected_record_character_by_character(rows: list[list[str | None]]) -> None:
    fields = {name: list(values) for name, values in zip(NAMES, zip(*rows, strict=True), strict=True)}
    rejected = judge({"id": {"type": "boolean", "from": "wrong"}}, {**fields, "wrong": ["x"] * len(rows)}).rejected
    assert [json.loads(raw, object_pairs_hook=list)[:-1] for raw in rejected["raw"].to_pylist()] == [
        list(zip(NAMES, row, strict=True)) for row in rows
    ]


def test_keeps_large_native_integers_digit_by_digit() -> None:
    numbers = [2**53 + 1, -(2**63), 2**63 - 1]
    rejected = judge({"value": "smallint"}, {"value": pa.array(numbers, pa.int64())}).rejected
    assert rejected["raw"].to_pylist() == [f'{{"value":{number}}}' for number in numbers]


def test_keeps_a_record_as_its_source_has_it_where_it_says_so() -> None:
    """An event's own text, whatever of its fields the contract knows; it is no field of the source itself."""
    texts = ['{"id": "x", "more": [1.50, null]}', '{"id":"1"}']
    verdict = judge({"id": "int"}, {"id": ["x", "1"], "_raw": texts})
    assert verdict.rejected["raw"].to_pylist() == texts[:1]
    assert verdict.accepted.schema.names == ["id", "_object", "_record", "_offset"]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_native_timestamp_in_a_raw_record_says_that_it_is_utc(unit: str) -> None:
    """A replay reads it as text: without an offset it would be a time of the feed's zone."""
    at = pa.array([datetime(2024, 7, 1, 12, 0, 0)], pa.timestamp(unit))  # noqa: DTZ001 as Postgres' readers hand it over
    columns = {"at": "timestamp", "bad": {"type": "int", "from": "word"}}
    ((raw,),) = [judge(columns, {"at": at, "word": ["x"]}).rejected["raw"].to_pylist()]
    text = json.loads(raw)["at"]
    assert text.endswith("Z")
    assert read_as("timestamp", [text], timezone="Asia/Tokyo") == [datetime(2024, 7, 1, 12, tzinfo=UTC)]


@pytest.mark.parametrize("name", [*filter(None, NAMES), "accept", "_record_", "_GIVEN_ID", "Id", "_typed_value"])
def test_binds_a_field_whatever_the_header_calls_it_and_the_others(name: str) -> None:
    others = {other: ["accept", "accept"] for other in [*NAMES, "_fate", "_reasons", "value"] if other != name}
    verdict = judge({"value": {"type": "int", "from": name}}, {**others, name: ["1", "x"]})
    assert (verdict.accepted["value"].to_pylist(), verdict.rejected["record"].to_pylist()) == ([1], [2])


# --- transforms -------------------------------------------------------------------------------------------------------


@given(st.lists(WORDS, min_size=60, max_size=80))
@FEW
def test_trims_what_unicode_calls_white_space(texts: list[str]) -> None:
    expected = [REFUSED if "\0" in text else text.strip() for text in texts]
    assert differences(texts, read_as("text", texts, transform=["trim"]), expected) == {}


@given(st.lists(st.text("%0123456789ABCDEFabcdefé+ ", max_size=8), min_size=60, max_size=80))
@example(["%41", "%C3%A9", "%FF", "%E2%82", "%00", "%", "%zz", "a+b", "100%", "%ED%A0%80", "%25", "%2541"])
@FEW
def test_decodes_a_url_or_refuses_what_is_no_text_then(texts: list[str]) -> None:
    def decoded(text: str) -> str:
        try:
            found = unquote(text, errors="strict")
        except UnicodeDecodeError:
            return REFUSED
        return REFUSED if "\0" in found else found

    expected = [decoded(text) for text in texts]
    assert differences(texts, read_as("text", texts, transform=["url_decode"]), expected) == {}


def test_applies_transforms_in_their_order() -> None:
    assert read_as("text", ["%41%20"], transform=["lower", "url_decode", "trim"]) == ["A"]
    assert read_as("text", ["%41%20"], transform=["url_decode", "trim", "lower"]) == ["a"]


def test_measures_a_text_after_its_transforms() -> None:
    assert read_as("varchar(2)", ["%C3%A9", " ab "], transform=["url_decode", "trim"]) == ["é", "ab"]
    assert read_as("varchar(2)", ["Ⱥ"], transform=["lower"]) == [REFUSED]  # three bytes in lower case


def test_checks_a_text_after_its_transforms() -> None:
    pattern = {"type": "text", "transform": ["trim", "lower"], "pattern": "^[a-z]+$", "one_of": ["abc", "x"]}
    assert reasons({"value": pattern}, {"value": [" ABC ", "X", "Y", "1"]}) == {
        3: ["value: expected one of abc, x, got 'y'"],
        4: ["value: expected a match of ^[a-z]+$, got '1'", "value: expected one of abc, x, got '1'"],
    }
