"""Reading against two oracles: Python's csv for tables written properly, a character-wise automaton for the rest."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.errors import BatchRefusedError
from jobs.sources.csv_reader import open_csv
from jobs.sources.records import Unreadable

FIELDS = st.text(st.sampled_from(',"\n\r a;0\0é漢😀\u2028\ufeff') | st.characters(codec="utf-8"), max_size=8)
PIECES = st.sampled_from([1, 2, 3, 7, 20, 1 << 20])
ENDS = st.sampled_from(["\n", "\r\n"])


@dataclass(frozen=True)
class Reading:
    """Rows as (number, offset, fields); unreadable records; how many records the splitter counted."""

    rows: list[tuple[int, int, list[str]]]
    unreadable: list[Unreadable]
    records: int


def reading(content: bytes, piece_bytes: int, chunk_bytes: int = 1 << 20) -> Reading:
    chunks = (content[at : at + chunk_bytes] for at in range(0, len(content), chunk_bytes))
    found = Reading([], [], 0)
    records = 0
    for piece in open_csv(chunks, "x.csv", piece_bytes=piece_bytes).pieces:
        for row in piece.fields.to_pylist():
            number, offset = row.pop("_record"), row.pop("_offset")
            found.rows.append((number, offset, list(row.values())))
        found.unreadable.extend(piece.unreadable)
        records += piece.records
    return Reading(found.rows, found.unreadable, records)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(FIELDS, min_size=width, max_size=width), max_size=12))


def _line(row: list[str], quoting: int, end: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator="\r\n").writerow(row)  # type: ignore[arg-type]
    return (text.getvalue().removesuffix("\r\n") + end).encode()


@settings(max_examples=300, deadline=None)
@given(
    rows=tables(),
    data=st.data(),
    piece_bytes=PIECES,
    chunk_bytes=st.sampled_from([1, 5, 1000]),
    bom=st.booleans(),
    compressed=st.booleans(),
    last_end=st.booleans(),
)
def test_reads_every_table_as_it_was_written(
    rows: list[list[str]],
    data: st.DataObject,
    piece_bytes: int,
    chunk_bytes: int,
    bom: bool,
    compressed: bool,
    last_end: bool,
) -> None:
    header = [f"c{i}" for i in range(len(rows[0]) if rows else 2)]
    content = b"\xef\xbb\xbf" if bom else b""
    offsets = []
    for row in [header, *rows]:
        offsets.append(len(content))
        content += _line(row, data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])), data.draw(ENDS))
    if not last_end:
        content = content[:-2] if content.endswith(b"\r\n") else content[:-1]
    assert list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))) == [header, *rows]

    found = reading(gzip.compress(content) if compressed else content, piece_bytes, chunk_bytes)

    assert found.rows == [(i, offsets[i], row) for i, row in enumerate(rows, 1)]
    assert found.unreadable == []
    assert found.records == len(rows)


def automaton(content: bytes) -> tuple[list[tuple[int, bytes, list[str] | None]], int | None]:
    """Records as (offset, raw, fields or None where broken), and where the record of an open quote begins.

    Character by character, from the words of the dialect.
    """
    records: list[tuple[int, bytes, list[str] | None]] = []
    text, at = content.decode("latin-1"), 0
    while at < len(text):
        start, fields, broken, strays = at, [""], False, 0
        state = "begin"
        while True:
            char = text[at : at + 1]
            at += 1
            if state == "inside":
                if char == "":
                    return records, start
                if char == '"' and text[at : at + 1] == '"':
                    fields[-1] += '"'
                    at += 1
                elif char == '"':
                    state = "closed"
                else:
                    fields[-1] += char
            elif char in ("", "\n"):
                broken = broken or strays % 2 == 1
                break
            elif (char == "\r" and text[at : at + 1] == "\n") or broken:
                continue
            elif char == ",":
                broken = strays % 2 == 1
                strays = 0
                fields.append("")
                state = "begin"
            elif char == '"' and state == "begin":
                state = "inside"
            elif char == "\r" or state == "closed":
                broken = True
            else:
                strays += char == '"'
                fields[-1] += char
                state = "plain"
        at = min(at, len(text))
        raw = content[start:at].removesuffix(b"\n")
        raw = raw.removesuffix(b"\r") if content[start:at].endswith(b"\n") else raw
        if raw:
            records.append((start, raw, None if broken else fields))
    return records, None


@settings(max_examples=1500, deadline=None)
@given(
    body=st.lists(st.sampled_from([b"a", b",", b'"', b"\r", b"\n", b"\r\n", b'"b"', b'""', b"a,b\n"]), max_size=24).map(
        b"".join
    ),
    piece_bytes=PIECES,
)
@example(body=b"\n1,a\r", piece_bytes=1 << 20)
@example(body=b'a"\n', piece_bytes=1)
@example(body=b'a,b\n1,"', piece_bytes=1)
def test_any_bytes_at_all_are_told_apart_as_the_dialect_says(body: bytes, piece_bytes: int) -> None:
    header = b"x,y\n"
    records, open_quote = automaton(body)
    if open_quote is not None:
        with pytest.raises(BatchRefusedError, match=f"record {len(records) + 1} at byte {len(header) + open_quote}"):
            reading(header + body, piece_bytes)
        body = body[:open_quote]
        records, open_quote = automaton(body)
    assert open_quote is None
    found = reading(header + body, piece_bytes)

    def is_readable(fields: list[str] | None) -> bool:
        return fields is not None and len(fields) == 2

    numbered = [(number, len(header) + at, raw, fields) for number, (at, raw, fields) in enumerate(records, 1)]
    assert found.rows == [(number, at, fields) for number, at, _, fields in numbered if is_readable(fields)]
    assert [(u.number, u.offset, u.raw.encode()) for u in found.unreadable] == [
        (number, at, raw) for number, at, raw, fields in numbered if not is_readable(fields)
    ]
    assert found.records == len(records)
