"""Reading against the standard library's json: any objects, however they are laid out, packed and cut into pieces."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.sources.events_reader import EventTable, Unmatched, read_events
from jobs.sources.records import Unreadable

TEXTS = st.text(st.sampled_from('}{[],:"\\\n 13é漢😀\0\u2028\ufeff') | st.characters(codec="utf-8"), max_size=6)
NAMES = st.sampled_from(["id", "type", "event", "p", "a.b", "p.id", "ID", ""]) | TEXTS
NUMBERS = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0, -0.0])
VALUES = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
BETWEEN = st.sampled_from(["", "\n", "\r\n", "  ", "\n\n"])
PIECES = st.sampled_from([1, 7, 50, 1 << 20])

TABLES = (
    EventTable("posts", {"type": "track", "event": "{"}, ("id", "p.id", "p")),
    EventTable("users", {"type": "identify"}, ("id", "p.a", "a.b", "ID", "")),
)


@dataclass
class Reading:
    """`rows`: number → (offset, raw, table, row); `records`: as the splitter counted."""

    rows: dict[int, tuple[int, str, str, dict[str, Any]]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    unmatched: list[Unmatched] = field(default_factory=list)
    records: int = 0

    def places(self) -> list[tuple[int, int, str]]:
        """Number, offset and raw text of all valid records, in order."""
        of_tables = [(number, offset, raw) for number, (offset, raw, _, _) in self.rows.items()]
        return sorted(of_tables + [(each.number, each.offset, each.raw) for each in self.unmatched])


def reading(
    content: bytes, tables: tuple[EventTable, ...] = TABLES, piece_bytes: int = 1 << 20, chunk_bytes: int = 1 << 20
) -> Reading:
    chunks = (content[at : at + chunk_bytes] for at in range(0, len(content), chunk_bytes))
    found = Reading()
    for piece in read_events(chunks, "day/x", tables, piece_bytes=piece_bytes):
        for name, of_table in piece.tables.items():
            assert of_table.records == of_table.fields.num_rows
            for row in of_table.fields.to_pylist():
                number, offset, raw = row.pop("_record"), row.pop("_offset"), row.pop("_raw")
                assert number not in found.rows
                found.rows[number] = (offset, raw, name, row)
        found.unreadable += piece.unreadable
        found.unmatched += piece.unmatched
        found.records += piece.records
    return found


def laid_out(data: st.DataObject, record: dict[str, Any]) -> str:
    return json.dumps(
        record,
        ensure_ascii=data.draw(st.booleans()),
        indent=data.draw(st.sampled_from([None, None, 0, 2])),
        separators=data.draw(st.sampled_from([(",", ":"), (", ", ": ")])),
    )


def concatenated(data: st.DataObject, records: list[str], may_be_arrays: bool = True) -> bytes:
    """The records one after another, some of them in arrays."""
    content, rest = "", list(records)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        taken, rest = rest[:size], rest[size:]
        if may_be_arrays and data.draw(st.booleans()):
            content += "[" + ",".join(data.draw(BETWEEN) + each + data.draw(BETWEEN) for each in taken) + "]"
        else:
            content += "".join(data.draw(BETWEEN) + each for each in taken)
    return (content + data.draw(BETWEEN)).encode()


class Token(str):
    """A number as it is written."""


def expected_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return value  # type: ignore[no-any-return]


@settings(max_examples=200, deadline=None)
@given(
    records=st.lists(OBJECTS, max_size=6),
    data=st.data(),
    piece_bytes=PIECES,
    chunk_bytes=st.sampled_from([1, 5, 1000]),
    bom=st.booleans(),
    compressed=st.booleans(),
)
def test_reads_every_record_wherever_it_stands(
    records: list[dict[str, Any]],
    data: st.DataObject,
    piece_bytes: int,
    chunk_bytes: int,
    bom: bool,
    compressed: bool,
) -> None:
    texts = [laid_out(data, record) for record in records]
    content = (b"\xef\xbb\xbf" if bom else b"") + concatenated(data, texts)
    found = reading(gzip.compress(content) if compressed else content, TABLES, piece_bytes, chunk_bytes)
    places = found.places()
    assert found.unreadable == []
    assert found.records == len(records)
    assert [(number, raw) for number, _, raw in places] == list(enumerate(texts, 1))
    assert all(content[offset:].startswith(raw.encode()) for _, offset, raw in places)
    assert [offset for _, offset, _ in places] == sorted({offset for _, offset, _ in places})


@settings(max_examples=200, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=5), data=st.data())
def test_every_value_is_the_text_that_was_delivered(values: list[Any], data: st.DataObject) -> None:
    table = EventTable("all", {}, ("v", "p.v", "v.v", "absent"))
    texts = [laid_out(data, {"p.v": 1, "v": value, "p": {"v": value}}) for value in values]
    found = reading(concatenated(data, texts), (table,))
    for number, source in enumerate(texts, 1):
        row = found.rows[number][3]
        oracle = json.loads(source, parse_int=Token, parse_float=Token)
        for name, value in [("v", oracle["v"]), ("p.v", oracle["p"]["v"])]:
            if isinstance(value, dict | list):
                assert row[name] in source
                assert json.loads(row[name], parse_int=Token, parse_float=Token) == value
            else:
                assert row[name] == expected_text(value)
        assert row["absent"] is None
        if not isinstance(oracle["v"], dict):
            assert row["v.v"] is None


KINDS = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "page", None, 1])},
    optional={"event": st.sampled_from(["{", "}", None])},
)


@settings(max_examples=100, deadline=None)
@given(records=st.lists(KINDS, max_size=8), piece_bytes=PIECES)
def test_every_record_is_in_exactly_one_place(records: list[dict[str, Any]], piece_bytes: int) -> None:
    content = "".join(map(json.dumps, records)).encode()
    found = reading(content, TABLES, piece_bytes)

    def expected_table(record: dict[str, Any]) -> str | None:
        if record["type"] == "identify":
            return "users"
        return "posts" if record["type"] == "track" and record.get("event") == "{" else None

    tables = {number: expected_table(record) for number, record in enumerate(records, 1)}
    assert {number: row[2] for number, row in found.rows.items()} == {n: t for n, t in tables.items() if t}
    assert {each.number: each.kind for each in found.unmatched} == {
        n: f"{records[n - 1]['type'] or '-'} / {records[n - 1].get('event') or '-'}" for n, t in tables.items() if not t
    }


SELF_CONTAINED = [
    "{bad}",
    '{"a":NaN}',
    '{"a":1,}',
    "{'a':1}",
    '{"a":1,"a":2}',
    '{"a":"\\ud800"}',
    '{"a":"\t"}',
    '{"a":"line\nline"}',
    '{"a":01}',
    '{"a":[{"id":2}{"id":3}]}',
    '{"a":{"id":3},bad}',
    '{"a":"\\x"}',
    '{"a":1 /* {"id":3} */}',
    '{"t":"}{","n":bad}',
    '{"a":' * 300 + "1" + "}" * 300,
]


@pytest.mark.parametrize("bad", SELF_CONTAINED)
@settings(max_examples=12, deadline=None)
@given(before=st.lists(OBJECTS, max_size=3), after=st.lists(OBJECTS, max_size=3), data=st.data(), piece_bytes=PIECES)
def test_a_bad_record_whose_end_is_known_costs_only_itself(
    bad: str, before: list[dict[str, Any]], after: list[dict[str, Any]], data: st.DataObject, piece_bytes: int
) -> None:
    texts = [*(laid_out(data, each) for each in before), bad, *(laid_out(data, each) for each in after)]
    found = reading(concatenated(data, texts), TABLES, piece_bytes)
    at = len(before) + 1
    assert [(number, raw) for number, _, raw in found.places()] == [
        (number, text) for number, text in enumerate(texts, 1) if number != at
    ]
    assert [(each.number, each.raw) for each in found.unreadable] == [(at, bad)]
    assert found.records == len(texts)


CUT_OFF = [
    '{"a":"x',
    '{"a":"x\\',
    '{"a":{"b":1',
    '{"a":[1,2}',
    '{"a":"x}',
    '{"a"',
    '{"a":1}}',
    '{"a":"x"y"}',
    '{"a" 1}',
]
NOT_EMPTY = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@pytest.mark.parametrize("bad", CUT_OFF)
@example(before=[], after=[{"}": None}], piece_bytes=1)
@settings(max_examples=12, deadline=None)
@given(
    before=st.lists(OBJECTS, max_size=3),
    after=st.lists(NOT_EMPTY, min_size=1, max_size=3),
    piece_bytes=PIECES,
)
def test_a_cut_off_line_costs_only_itself(
    bad: str, before: list[dict[str, Any]], after: list[dict[str, Any]], piece_bytes: int
) -> None:
    texts = [*map(json.dumps, before), *map(json.dumps, after)]
    head = "".join(each + "\n" for each in texts[: len(before)])
    content = (head + bad + "\n" + "\n".join(texts[len(before) :])).encode()
    found = reading(content, TABLES, piece_bytes)
    first = '{"a":1}' if bad == '{"a":1}}' else None
    assert [raw for _, _, raw in found.places()] == [
        *texts[: len(before)],
        *filter(None, [first]),
        *texts[len(before) :],
    ]
    assert [each.raw for each in found.unreadable] == [bad.removeprefix(first or "")]


FRAGMENTS = [
    '{"id":1}',
    '{"t":"}{"}',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\n",
    " ",
    "1",
    "null",
    '"x"',
    "{}",
    '{"a"',
    "é",
]


@settings(max_examples=600, deadline=None)
@given(fragments=st.lists(st.sampled_from(FRAGMENTS), max_size=12), piece_bytes=st.sampled_from([1, 2, 3, 7, 20]))
@example(fragments=['"', "\n", '{"id":1}', '"x"'], piece_bytes=1)
@example(fragments=['{"a":"', "\n", '{"id":1}', ",", "1"], piece_bytes=15)
def test_where_pieces_end_changes_nothing_and_every_byte_is_somewhere(fragments: list[str], piece_bytes: int) -> None:
    content = "".join(fragments).encode()
    found, whole = reading(content, TABLES, piece_bytes), reading(content, TABLES)
    assert found == whole
    rest = content
    spans = [(offset, raw) for _, offset, raw in whole.places()] + [(u.offset, u.raw) for u in whole.unreadable]
    for offset, raw in sorted(spans, reverse=True):
        assert rest[offset:].startswith(raw.encode())
        assert not rest[offset + len(raw.encode()) :].strip(b"[], \n")
        rest = rest[:offset]
    assert not rest.strip(b"[], \n")
    assert all(json.loads(raw).keys() <= {"id", "t", "a"} for _, _, raw in whole.places())
