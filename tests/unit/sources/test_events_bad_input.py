"""What is not good JSON: one bad record costs as little as can be proven, and nothing inside a record comes out as one."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from jobs.errors import BalanceError, BatchRefusedError
from jobs.sources import events_records, events_routing, records
from jobs.sources.events_reader import EventTable, read_events
from jobs.sources.records import Unreadable

EVERYTHING = (EventTable("all", {}, ("id",)),)


def _read(content: bytes, piece_bytes: int = 1 << 20) -> tuple[list[str | None], list[Unreadable]]:
    """The ids of the valid records, and the others."""
    pieces = list(read_events([content], "day/x", EVERYTHING, piece_bytes=piece_bytes))
    ids = [each for piece in pieces if piece.tables for each in piece.tables["all"].fields["id"].to_pylist()]
    return ids, [each for piece in pieces for each in piece.unreadable]


def _value(source: str, *paths: str) -> list[str | None]:
    (piece,) = read_events([source.encode()], "day/x", [EventTable("all", {}, paths)])
    (row,) = piece.tables["all"].fields.select(list(paths)).to_pylist()
    return list(row.values())


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    ("content", "ids", "unreadable"),
    [
        ('{"id":1}{bad}{"id":2}', ["1", "2"], ["{bad}"]),
        ('[{"id":1},{bad},{"id":2}]', ["1", "2"], ["{bad}"]),
        ('{"id":1}\ngarbage line\n{"id":2}\n', ["1", "2"], ["garbage line"]),
        ('{"id":1}\n42\n"x"{"id":2}null\n', ["1", "2"], ["42", '"x"', "null"]),
        ('[1,{"id":1},[{"id":9}],"a"]', ["1"], ["1", '[{"id":9}]', '"a"']),
        ('{"id":1}}{"id":2}', ["1", "2"], ["}"]),
        ('{"id":1}{"t":"x}{"id":2}{"id":3}', ["1", "2", "3"], ['{"t":"x}']),
        ('{"id":1}{"a":[1,2}{"id":2}', ["1", "2"], ['{"a":[1,2}']),
        ('{"id":1}\n{"t":"x\n{"id":2}\n{"id":3}', ["1", "2", "3"], ['{"t":"x']),
        ('{"id":1}{"a":{"id":2}{"id":3}', ["1", "3"], ['{"a":{"id":2}']),
        # Nothing of these may come out, although whole objects stand in them.
        ('{"id":1,"items":[{"id":3}{"id":4}],"x":1}', [], ['{"id":1,"items":[{"id":3}{"id":4}],"x":1}']),
        ('{"id":1,"items":[\n{"id":3},\n{"id":4}\n],\n"x":"open\n}', [], None),
        ('{"id":1,"items":[\n{"id":3}', [], None),
        ('{"id":1,"items":[\n{"id":3},\n{"id":4}', [], None),
        ('{"id":1,"a":\n{"id":3}', [], None),
        ('{"t":"say "hi" {"id":3}"}', [], None),
        ('{"t":"{\\"id\\":3}","n":bad}', [], None),
        ('{"t":"}{\\"id\\":3}{\\"id\\":4}', [], None),
        ('{"t":"a\n{}\nb"}', [], ['{"t":"a\n{}\nb"}']),
        ('{"outer":[{"a":1}},{"id":3}],"z":1}', [], None),
        ('[{"outer":[{"a":1],"z":2},{"id":3}],"y":1},{"id":5}]', [], None),
        ('"a":{"id":3}}', [], None),
        ('{"a":1]}{"n":{"id":3}}', [], None),
        ('{"id":1}\ngarbage {"id":3}', ["1"], ['garbage {"id":3}']),
        ('{"items":"open\n{"id":3},\n{"id":4}\n],\n"x":1}', [], None),
        ('[{"o":[1}],{"id":3}]', [], None),
    ],
)
def test_what_stands_inside_a_record_never_comes_out_as_one(
    content: str, ids: list[str], unreadable: list[str] | None, piece_bytes: int
) -> None:
    found, told = _read(content.encode(), piece_bytes)
    assert [each for each in found if each] == ids
    assert told if unreadable is None else [each.raw for each in told] == unreadable


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    ("tail", "raw"), [('{"id":2,"t":"cut of', '{"id":2,"t":"cut of'), ('{"id":2,"p":{"id":3}', '{"id":2,"p":{"id":3}')]
)
def test_a_cut_off_end_is_told_with_what_is_there(tail: str, raw: str, piece_bytes: int) -> None:
    found, (last,) = _read(b'{"id":1}' + tail.encode(), piece_bytes)
    assert (found, last.number, last.offset, last.raw) == (["1"], 2, 8, raw)


def test_an_array_that_is_never_closed_is_told() -> None:
    found, (last,) = _read(b'[{"id":1},{"id":2}')
    assert (found, last) == (
        ["1", "2"],
        Unreadable(3, 18, "", "expected the array to be closed, got the end of the object: it looks cut off"),
    )


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"a":NaN}', "expected JSON after RFC 8259, got NaN"),
        (b'{"a":{"b":1,"c":2,"b":1}}', "expected every name once in an object, got 'b' twice"),
        (b'{"a":1,"\\u0061":1}', "expected every name once in an object, got 'a' twice"),
        (b'{"a":"\\ud83d"}', "expected Unicode, got an escape \\ud800 to \\udfff without its other half"),
        (b'{"a":"\xff"}', "expected UTF-8, got the byte 0xff at position 6 of the record"),
        (b'{"a":"\xed\xa0\x80"}', "expected UTF-8, got the byte 0xed at position 6 of the record"),
        (b'{"a":"\x01"}', "expected JSON after RFC 8259, got Invalid control character at character 6 of the record"),
        (b'{"a":' * 201 + b"1" + b"}" * 201, "expected at most 200 levels of nesting, got 201"),
        (b"[1]\n", "expected an object, got '1'"),
    ],
)
def test_the_reason_says_what_is_wrong(record: bytes, reason: str) -> None:
    _, (unreadable,) = _read(record)
    assert unreadable.reason == reason


@pytest.mark.parametrize(
    "token", ["1.10", "1e400", "1E+05", "-0", "-0.0", "0", "1234567890123456789012345", "9007199254740993", "1" * 5000]
)
def test_numbers_keep_every_digit(token: str) -> None:
    assert _value(f'{{"day":"2026-01-02","n":{token},"p":{{"n":{token}}},"t":"-0 "}}', "n", "p.n") == [token, token]


def test_names_are_exact_and_dots_walk_nested_objects() -> None:
    source = '{"p.a":1,"p":{"a":2,"b":null,"c":[1, {"x":1.10}]},"ID":3,"s":"x","t":true}'
    paths = ("p.a", "p.b", "p.c", "id", "s.x", "t", "p")
    assert _value(source, *paths) == ["2", None, '[1, {"x":1.10}]', None, None, "true", source[13:49]]


def test_a_text_with_braces_and_null_characters_is_only_a_text() -> None:
    assert _value('{"a":"}{\\"id\\":1}\\u0000\\n é😀\\ud83d\\ude00"}', "a") == ['}{"id":1}\0\n é😀😀']


def test_a_record_longer_than_a_piece_is_read_whole() -> None:
    long = b'{"id":"' + b"}{" * 100_000 + b'"}'
    found, unreadable = _read(long + b'{"id":2}', piece_bytes=1000)
    assert (found, unreadable) == (["}{" * 100_000, "2"], [])


def test_an_open_bracket_does_not_take_all_memory() -> None:
    content = b'{"id":1}{"a":[' + b"1," * 10_000
    with pytest.raises(BatchRefusedError, match="at most 1000 bytes, got no end of record 2 at byte 8"):
        list(read_events([content], "day/x", EVERYTHING, piece_bytes=100, record_bytes=1000))


@pytest.mark.parametrize("piece_bytes", [100, 1 << 20])
def test_a_closing_bracket_is_not_looked_for_without_end(monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    monkeypatch.setattr(events_records, "LOOK_AHEAD", 200)
    lines = [b'{"id":%d}' % i for i in range(100)]
    found, unreadable = _read(b'{"cut":1,\n' + b"\n".join(lines) + b"}", piece_bytes)
    assert found == [str(i) for i in range(1, 100)]
    assert [each.raw for each in unreadable] == ['{"cut":1,\n{"id":0}', "}"]


def test_only_the_first_part_of_a_huge_unreadable_record_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_RAW_BYTES", 10)
    _, (unreadable,) = _read(b"{" + b"x" * 13 + b"}")
    assert unreadable.raw == "{xxxxxxxxx […5 more bytes in the object]"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf", b"[]", b"[ ]\n[]", gzip.compress(b"", mtime=0)])
def test_an_object_without_records_gives_nothing(content: bytes) -> None:
    assert list(read_events([content], "day/x", EVERYTHING)) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_utf_16_is_refused(encoding: str) -> None:
    with pytest.raises(BatchRefusedError, match="day/x: expected UTF-8, got UTF-16"):
        _read('{"id":1}'.encode(encoding))


def test_gzip_that_is_cut_off_is_refused() -> None:
    content = gzip.compress(b"".join(b'{"id":%d}' % i for i in range(1000)))
    with pytest.raises(BatchRefusedError, match="day/x: expected a whole gzip stream"):
        _read(content[:-20])


def test_a_record_that_gets_lost_on_the_way_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = events_routing.Routing.pieces

    def without_the_last(self: Any, cells: dict[str, list[object]]) -> Any:
        return pieces(self, {name: of_table[:-4] for name, of_table in cells.items()})

    monkeypatch.setattr(events_routing.Routing, "pieces", without_the_last)
    with pytest.raises(BalanceError, match="expected 2 records up to here, got 1"):
        _read(b'{"id":1}{"id":2}')
