"""Each check against plain Python, what its failure does to the record, and what a piece amounts to."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.config.table import Table
from jobs.contracts.contract import REJECTED, RowContract, contract_digest, key_contract, landing_schema
from tests.unit.contracts.judging import FEW, WORDS, judge, piece, reasons, table

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


# --- the keys alone ---------------------------------------------------------------------------------------------------


def test_keys_are_cast_and_transformed_like_those_of_the_rows_but_not_checked() -> None:
    """A key that fails one of today's checks may be that of a row which was accepted before."""
    columns = {
        "mail": {
            "type": "varchar(9)",
            "from": "Mail",
            "transform": ["trim", "lower"],
            "pattern": "^x",
            "one_of": ["x"],
        },
        "number": {"type": "int", "minimum": 100, "maximum": 200, "on_failure": "refuse"},
        "name": {"type": "text", "not_blank": True},
    }
    load = {"mode": "upsert", "newest_by": ["name"]}
    whole = Table.model_validate({"from": "feed", "key": ["number", "mail"], "columns": columns, "load": load})
    keys = key_contract(whole)
    delivered = piece({"Mail": [" Ann ", "Bob"], "number": ["7", "x"]})
    fields = {"mail": "Mail", "number": "number"}
    verdict = RowContract(keys, fields, delivered.schema, empty_is_null=False, timezone="UTC").apply(delivered, "o")
    assert verdict.accepted.select(["number", "mail"]).to_pylist() == [{"number": 7, "mail": "ann"}]
    assert (verdict.rejected.num_rows, verdict.refusals, verdict.filtered) == (1, (), 0)
    assert list(keys.columns) == ["number", "mail"]
