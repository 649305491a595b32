"""What becomes of a record: accepted, quarantined with reasons, filtered or refusing its batch; and what is kept of it."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from jobs.contracts.contract import REJECTED, RowContract, contract_digest, landing_schema
from tests.unit.contracts.judging import REFUSED, differences, judge, piece, read_as, table

FEW = settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
WORDS = st.text(st.sampled_from(" \t\n\u00a0\u3000\x0b\x85\u200baÄéßK") | st.characters(codec="utf-8"), max_size=6)
ANYTHING = st.text(st.sampled_from("\"'\\\n\r\0{}[],:;é😀\u2028\u2029") | st.characters(codec="utf-8"), max_size=9)


def reasons(columns: dict[str, Any], fields: dict[str, Any], **how: Any) -> dict[int, list[str]]:
    """Record number → its reasons."""
    rejected = judge(columns, fields, **how).rejected
    return dict(zip(rejected["record"].to_pylist(), rejected["reasons"].to_pylist(), strict=True))


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
    "_raw",
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


# --- checks -----------------------------------------------------------------------------------------------------------


@given(st.lists(WORDS.filter(lambda text: "\0" not in text), min_size=60, max_size=80))
@example(["", " ", "\u00a0", "\u3000\u2003", "\t\r\n\x0b\x0c", "\x1c\x85\u2028", " a ", "\u200b"])
@FEW
def test_finds_every_blank_text(texts: list[str]) -> None:
    found = reasons({"value": {"type": "text", "not_blank": True}}, {"value": texts})
    assert sorted(found) == [record for record, text in enumerate(texts, 1) if not text.strip()]


def test_finds_a_pattern_anywhere_in_a_text_with_quotes_and_line_ends() -> None:
    texts = ["it's", "its", "a\nit's\nb"]
    assert sorted(reasons({"value": {"type": "text", "pattern": "it's"}}, {"value": texts})) == [2]
    assert sorted(reasons({"value": {"type": "text", "pattern": "^it's$"}}, {"value": texts})) == [2, 3]


def test_allows_only_the_listed_texts() -> None:
    one_of = {"type": "text", "one_of": ["a", "it's", ""], "nullable": True}
    assert sorted(reasons({"value": one_of}, {"value": ["a", "it's", "", None, "A", "a ", "it"]})) == [5, 6, 7]


LIMITS = [-(2**70), -(10**5), -1000, -999, -1, 0, 1, 2, 999, 1000, 10**5, 2**70]
BOUNDED = {
    "smallint": ["-32768", "-1000", "-1", "0", "1", "999", "32767"],
    "bigint": [str(-(2**63)), "-1000", "0", "1000", str(2**63 - 1)],
    "numeric(5,2)": ["-999.99", "-999", "-0.01", "0", "0.01", "1.00", "999.00", "999.99"],
    "numeric(38,38)": ["-0." + "9" * 38, "0", "0." + "0" * 37 + "1", "0." + "9" * 38],
    "numeric(38,37)": ["-9." + "9" * 37, "0", "1", "9." + "9" * 37],
    "double": ["-Infinity", "-1e300", "-0.5", "0", "0.5", "1000", "Infinity"],
}


@pytest.mark.parametrize("kind", BOUNDED)
def test_compares_a_number_with_any_limit(kind: str) -> None:
    both = {"type": kind, "from": "value"}
    columns = {f"low{place}": both | {"minimum": limit} for place, limit in enumerate(LIMITS)}
    columns |= {f"high{place}": both | {"maximum": limit} for place, limit in enumerate(LIMITS)}
    found = reasons(columns, {"value": BOUNDED[kind]})
    for record, text in enumerate(BOUNDED[kind], 1):
        below = [
            f"low{place}: expected at least {limit}" for place, limit in enumerate(LIMITS) if Decimal(text) < limit
        ]
        above = [
            f"high{place}: expected at most {limit}" for place, limit in enumerate(LIMITS) if Decimal(text) > limit
        ]
        assert [each.split(", got")[0] for each in found[record]] == below + above


# --- what a failure does ----------------------------------------------------------------------------------------------


def test_a_type_failure_beats_a_filter_beats_a_refusal_beats_quarantine_beats_a_warning() -> None:
    actions = ["filter", "refuse", "quarantine", "warn"]
    columns = {"id": "int"} | {action: {"type": "text", "one_of": ["good"], "on_failure": action} for action in actions}
    failing = list(itertools.product([False, True], repeat=5))
    fields = {"id": ["x" if each[0] else "1" for each in failing]} | {
        action: ["bad" if each[place] else "good" for each in failing] for place, action in enumerate(actions, 1)
    }
    verdict = judge(columns, fields)
    fates = [
        "reject" if t else "filter" if f else "refuse" if r else "reject" if q else "accept"
        for t, f, r, q, _ in failing
    ]
    numbered = list(enumerate(fates, 1))
    assert verdict.accepted["_record"].to_pylist() == [record for record, fate in numbered if fate == "accept"]
    assert verdict.rejected["record"].to_pylist() == [record for record, fate in numbered if fate == "reject"]
    assert verdict.filtered == fates.count("filter")
    assert [refusal.split(":")[0] for refusal in verdict.refusals] == [
        f"record {record}" for record, fate in numbered if fate == "refuse"
    ]
    assert verdict.warned == 1


def test_a_refusal_says_why_and_lists_five_records_at_most() -> None:
    verdict = judge({"id": {"type": "int", "minimum": 0, "on_failure": "refuse"}}, {"id": ["-1"] * 9 + ["1"]})
    assert verdict.refusals == tuple(f"record {record}: id: expected at least 0, got '-1'" for record in range(1, 6))
    assert (verdict.accepted.num_rows, verdict.rejected.num_rows, verdict.filtered) == (1, 0, 0)


def test_a_warning_counts_for_accepted_records_only() -> None:
    columns = {"id": "int", "name": {"type": "text", "one_of": ["a"], "pattern": "a", "on_failure": "warn"}}
    verdict = judge(columns, {"id": ["1", "x"], "name": ["b", "b"]})
    assert (verdict.accepted["_record"].to_pylist(), verdict.warned) == ([1], 2)


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_every_row_has_one_fate_and_keeps_the_order() -> None:
    texts = [str(number) if number % 3 else "x" for number in range(5000)]
    verdict = judge({"id": {"type": "int", "minimum": 1000, "on_failure": "filter"}}, {"id": texts})
    accepted, rejected = verdict.accepted["_record"].to_pylist(), verdict.rejected["record"].to_pylist()
    assert accepted == [record for record, text in enumerate(texts, 1) if text != "x" and int(text) >= 1000]
    assert rejected == [record for record, text in enumerate(texts, 1) if text == "x"]
    assert len(accepted) + len(rejected) + verdict.filtered == 5000


def test_an_empty_piece_has_the_landing_schema() -> None:
    columns = {"id": "int", "price": "numeric(5,2)", "at": "timestamp", "name": "varchar(3)", "on": "boolean"}
    empty = pa.array([], pa.string())
    verdict = judge(columns, dict.fromkeys(columns, empty))
    assert (verdict.accepted.schema, verdict.accepted.num_rows) == (landing_schema(table(columns)), 0)
    assert (verdict.rejected.schema, verdict.rejected.num_rows, verdict.warned) == (REJECTED, 0, 0)


def test_a_contract_is_used_for_piece_after_piece() -> None:
    first, second = piece({"id": ["1", "x"]}), piece({"id": ["2"]})
    contract = RowContract(table({"id": "int"}), {"id": "id"}, first.schema, empty_is_null=True, timezone="UTC")
    found = [contract.apply(each, "o.csv").accepted["id"].to_pylist() for each in (first, second, first)]
    assert found == [[1], [2], [1]]


def test_the_digest_changes_with_anything_in_the_contract() -> None:
    contracts = [
        {"a": table({"id": "int"})},
        {"b": table({"id": "int"})},
        {"a": table({"id": "bigint"})},
        {"a": table({"id": {"type": "int", "minimum": 1}})},
        {"a": table({"id": "int"}), "b": table({"id": "int"})},
    ]
    assert len({contract_digest(each) for each in contracts}) == len(contracts)
    assert contract_digest(contracts[0]) == contract_digest({"a": table({"id": "int"})})
