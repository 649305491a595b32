"""A text becomes the value that plain Python says it is, or is refused: never another value."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.contracts.judging import FEW, REFUSED, differences, judge, read_as

INTEGERS = {"smallint": 2**15, "int": 2**31, "bigint": 2**63}
NUMERICS = [(5, 2), (5, 0), (3, 3), (10, 2), (18, 6), (38, 0), (38, 10), (38, 38)]
DIGITS = set("0123456789")


def frames(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Many values at once: what costs is the statement, not the row. Some of them broken in one place."""
    return st.lists(texts | broken(texts), min_size=50, max_size=80)


@st.composite
def broken(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """One character more, fewer or otherwise."""
    text = draw(texts)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(" +-.:eEZ\0\n\t09٣۷é_,/", max_size=1)) + text[at + draw(st.integers(0, 1)) :]


def integer_of(text: str, limit: int) -> Any:
    if set(text) <= DIGITS | set("+-"):
        with suppress(ValueError):
            return int(text) if -limit <= int(text) < limit else REFUSED
    return REFUSED


def decimal_of(text: str, precision: int, scale: int) -> Any:
    with localcontext(prec=200), suppress(InvalidOperation):
        if set(text) <= DIGITS | set("+-."):
            held = Decimal(text).quantize(Decimal(1).scaleb(-scale))
            return held if held == Decimal(text) and abs(held) < 10 ** (precision - scale) else REFUSED
    return REFUSED


def double_of(text: str) -> Any:
    if text in ("NaN", "Infinity", "-Infinity", "+Infinity"):
        return float(text)
    with suppress(ValueError):
        if set(text) <= DIGITS | set("+-.eE"):
            is_changed = math.isinf(float(text)) or (float(text) == 0 and Decimal(text) != 0)
            return REFUSED if is_changed else float(text)
    return REFUSED


def date_of(text: str) -> Any:
    digits = text[:4] + text[5:7] + text[8:]
    with suppress(ValueError):
        if len(text) == 10 and set(digits) <= DIGITS and text[4] == text[7] == "-":
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    return REFUSED


NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "+", "-", "000"]),
    st.integers(0, 10**40).map(str) | st.sampled_from(["", "0", "7", "999", "1000", "99999"]),
    st.sampled_from(["", ".", ".0", ".00500"]) | st.integers(0, 10**12).map(lambda number: f".{number}"),
    st.sampled_from(["", "", "0", "0000000000000000000000000000000000000000"]),
)
DOUBLES = st.builds("{}{}".format, NUMBERS, st.sampled_from(["", "e5", "E-3", "e308", "e400", "e-330", "e-324"]))
DAYS = st.dates(date.min).map(date.isoformat) | st.builds(
    "{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32)
)


@pytest.mark.parametrize("kind", INTEGERS)
@given(frames(st.integers(-(2**64), 2**64).map(str) | st.integers(-(2**16), 2**16).map("{:+06}".format)))
@example([str(sign * 2**bits + more) for sign in (-1, 1) for bits in (15, 31, 63) for more in (-1, 0, 1)])
@FEW
def test_reads_an_integer_exactly_or_refuses_it(kind: str, texts: list[str]) -> None:
    assert differences(texts, read_as(kind, texts), [integer_of(text, INTEGERS[kind]) for text in texts]) == {}


@pytest.mark.parametrize(("precision", "scale"), NUMERICS)
@given(frames(NUMBERS))
@example(
    [".5", ".0", "-.5", "5.", ".", "1.005", "1.500", "999.995", "999.99", "0." + "9" * 38, "9" * 38 + "." + "0" * 50]
)
@FEW
def test_reads_a_decimal_exactly_or_refuses_it(precision: int, scale: int, texts: list[str]) -> None:
    expected = [decimal_of(text, precision, scale) for text in texts]
    assert differences(texts, read_as(f"numeric({precision},{scale})", texts), expected) == {}


@given(frames(DOUBLES | st.floats().map(repr)))
@example(["NaN", "nan", "Infinity", "-Infinity", "inf", "1e400", "-1e400", "1e-400", "0e-400", "-0.0", "5e-324", "1d5"])
@FEW
def test_reads_the_nearest_double_but_no_infinity_or_zero_that_was_not_written(texts: list[str]) -> None:
    assert differences(texts, read_as("double", texts), [double_of(text) for text in texts]) == {}


@given(
    frames(st.sampled_from(["true", "True", "TRUE", "t", "T", "false", "FALSE", "f", "F", "yes", "1", "0", "on", ""]))
)
@FEW
def test_reads_true_and_false_only(texts: list[str]) -> None:
    words = {"true": True, "t": True, "false": False, "f": False}
    assert differences(texts, read_as("boolean", texts), [words.get(text.lower(), REFUSED) for text in texts]) == {}


@given(frames(DAYS))
@example(
    ["0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2023-02-29", "2024-02-29", "1900-02-29", "infinity"]
)
@FEW
def test_reads_a_day_that_exists_or_refuses_it(texts: list[str]) -> None:
    assert differences(texts, read_as("date", texts), [date_of(text) for text in texts]) == {}


@given(frames(st.text(st.characters(codec="utf-8"), max_size=6)))
@example(["", "abc", "abcd", "é", "éé", "€", "😀", "a\0", " 7", "007", "NaN", "NULL", "null", "\\N", "1.0", "true"])
@FEW
def test_keeps_a_text_as_it_is_if_its_utf8_bytes_fit(texts: list[str]) -> None:
    expected = [text if len(text.encode()) <= 3 and "\0" not in text else REFUSED for text in texts]
    assert differences(texts, read_as("varchar(3)", texts), expected) == {}


def test_holds_the_longest_text_of_the_warehouse_and_not_one_byte_more() -> None:
    texts = ["a" * 65_535, "a" * 65_534 + "é", "é" * 32_767 + "a"]
    assert read_as("text", texts) == [texts[0], REFUSED, texts[2]]


@pytest.mark.parametrize("kind", ["smallint", "int", "bigint", "numeric(5,2)", "numeric(3,3)", "numeric(38,0)"])
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-40_000, 40_000), min_size=50, max_size=80))
@example([-(2**63), 2**63 - 1, 2**53 + 1, 32_767, 32_768, -32_768, -32_769, 2**31, -(2**31) - 1, 999, 1000, 0, 1, 7])
@FEW
def test_reads_a_native_integer_as_its_text(kind: str, numbers: list[int]) -> None:
    texts = [str(number) for number in numbers]
    assert differences(numbers, read_as(kind, pa.array(numbers, pa.int64())), read_as(kind, texts)) == {}


SIX_PLACES = pa.decimal128(9, 6)
OTHERWISE_NATIVE: list[tuple[str, pa.Array, list[Any]]] = [
    ("numeric(5,2)", pa.array([Decimal("1.005"), Decimal("1.5")], SIX_PLACES), [REFUSED, Decimal("1.50")]),
    ("numeric(5,2)", pa.array([1.005, 1.25], pa.float64()), [REFUSED, Decimal("1.25")]),
    ("int", pa.array([1.5, 1e300], pa.float64()), [REFUSED, REFUSED]),
    ("int", pa.array([True], pa.bool_()), [REFUSED]),
    ("boolean", pa.array([1, 2], pa.int64()), [REFUSED, REFUSED]),
    ("text", pa.array([2**53 + 1], pa.int64()), [str(2**53 + 1)]),
    ("double", pa.array([0.1, math.inf], pa.float64()), [0.1, math.inf]),
    ("boolean", pa.array([True, False, None], pa.bool_()), [True, False, None]),
    ("date", pa.array([date(2024, 2, 29)], pa.date32()), [date(2024, 2, 29)]),
    ("timestamp", pa.array([date(2024, 2, 29)], pa.date32()), [REFUSED]),
]


@pytest.mark.parametrize(("kind", "values", "expected"), OTHERWISE_NATIVE)
def test_reads_what_is_native_in_another_type_by_its_text(kind: str, values: pa.Array, expected: list[Any]) -> None:
    assert differences(values.to_pylist(), read_as(kind, values), expected) == {}


def test_reads_an_integer_with_zeros_before_it_and_keeps_them_in_the_text() -> None:
    verdict = judge({"id": {"type": "bigint", "from": "code"}, "code": "text"}, {"code": ["007", "7"]})
    assert verdict.accepted.select(["id", "code"]).to_pylist() == [{"id": 7, "code": "007"}, {"id": 7, "code": "7"}]


def test_reads_one_value_the_same_whatever_stands_before_it() -> None:
    """In DuckDB 1.5.5 a text with ' UTC' changes how its own cast reads the times after it."""
    alone = read_as("timestamp", ["2024-07-01 12:00:00"], "Europe/Berlin")
    for other in ["2024-07-01 12:00:00 UTC", "2024-07-01 12:00:00+05", "2024-07-01 12:00:00Z", "x"]:
        assert read_as("timestamp", [other, "2024-07-01 12:00:00"], "Europe/Berlin")[1:] == alone
