"""What is not a good CSV: one bad record costs that record, a lost structure the object, and neither is silent."""

from __future__ import annotations

import gzip
import io

import pytest

from jobs.errors import BalanceError, BatchRefusedError, SourceSchemaError
from jobs.sources import csv_reader, records
from jobs.sources.csv_reader import open_csv, read_csv
from jobs.sources.csv_records import LONE_CR, STRAY_QUOTE, TEXT_AFTER_QUOTE
from jobs.sources.records import Piece, Unreadable

HEADER = b"id,note\n"


def _pieces(content: bytes, piece_bytes: int = 1 << 20) -> list[Piece]:
    return list(read_csv(io.BytesIO(content), "day/x.csv", piece_bytes=piece_bytes))


def _rows(pieces: list[Piece]) -> list[dict[str, object]]:
    return [row for piece in pieces for row in piece.fields.drop_columns(["_record", "_offset"]).to_pylist()]


def _unreadable(pieces: list[Piece]) -> list[Unreadable]:
    return [each for piece in pieces for each in piece.unreadable]


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize(
    ("record", "raw", "reason"),
    [
        (b'2,5" pipe', '2,5" pipe', STRAY_QUOTE),
        (b'2, "a, b', '2, "a, b', STRAY_QUOTE),
        (b'2,"a" b', '2,"a" b', TEXT_AFTER_QUOTE),
        (b'2,"a\nb" c', '2,"a\nb" c', TEXT_AFTER_QUOTE),
        (b'2,"never closed\n3,"x"', '2,"never closed\n3,"x"', TEXT_AFTER_QUOTE),
        (b"2,a\rb", "2,a\rb", LONE_CR),
        (b"2,a\r\r", "2,a\r", LONE_CR),
        (b'2,"a"\r,', '2,"a"\r,', LONE_CR),
        (b"2", "2", "expected 2 fields, got 1"),
        (b'2,"b",', '2,"b",', "expected 2 fields, got 3"),
        (b"   ", "   ", "expected 2 fields, got 1"),
        (b"2,caf\xe9", "2,caf\\xe9", "expected UTF-8, got the byte 0xe9 at position 5 of the record"),
        (b"\xe9,2", "\\xe9,2", "expected UTF-8, got the byte 0xe9 at position 0 of the record"),
        (b"caf\xe9", "caf\\xe9", "expected UTF-8, got the byte 0xe9 at position 3 of the record"),
        (b"2,\xed\xa0\x80", "2,\\xed\\xa0\\x80", "expected UTF-8, got the byte 0xed at position 2 of the record"),
    ],
)
def test_a_bad_record_costs_only_itself(record: bytes, raw: str, reason: str, piece_bytes: int) -> None:
    before, after = HEADER + '1,"é\n""x"""\r\n'.encode(), b'3,"c,\r\n"\n4,\n'
    pieces = _pieces(before + record + b"\n" + after, piece_bytes)
    assert _rows(pieces) == [{"id": "1", "note": 'é\n"x"'}, {"id": "3", "note": "c,\r\n"}, {"id": "4", "note": ""}]
    assert _unreadable(pieces) == [Unreadable(2, len(before), raw, reason)]
    assert [number for piece in pieces for number in piece.fields["_record"].to_pylist()] == [1, 3, 4]
    assert sum(piece.records for piece in pieces) == 4


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize("last", [b'2,5" pipe', b'2,"a" b', b"2,a\r", b"2,caf\xe9", b"2"])
def test_a_bad_last_record_without_a_line_end_costs_only_itself(last: bytes, piece_bytes: int) -> None:
    pieces = _pieces(HEADER + b"1,a\n" + last, piece_bytes)
    assert _rows(pieces) == [{"id": "1", "note": "a"}]
    assert [(each.number, each.offset) for each in _unreadable(pieces)] == [(2, len(HEADER) + 4)]


def test_an_even_number_of_quotes_inside_an_unquoted_field_is_text() -> None:
    assert _rows(_pieces(HEADER + b'1,8"N 12"W\n2,b\n')) == [{"id": "1", "note": '8"N 12"W'}, {"id": "2", "note": "b"}]


def test_text_that_looks_like_null_or_a_number_stays_text() -> None:
    rows = _rows(_pieces(HEADER + b'NaN,NULL\n007,\n1e5,""\nNA,null\n'))
    assert [tuple(row.values()) for row in rows] == [("NaN", "NULL"), ("007", ""), ("1e5", ""), ("NA", "null")]


def test_an_lf_header_may_stand_above_crlf_rows() -> None:
    assert _rows(_pieces(b'id,note\n1,"a\r\nb"\r\n2,c\r\n')) == [
        {"id": "1", "note": "a\r\nb"},
        {"id": "2", "note": "c"},
    ]


def test_empty_lines_are_no_records() -> None:
    pieces = _pieces(b"\r\n\nid,note\n\n1,a\n\r\n\n2,b\n\n")
    assert _rows(pieces) == [{"id": "1", "note": "a"}, {"id": "2", "note": "b"}]
    assert [piece.records for piece in pieces] == [2]
    assert [piece.fields["_offset"].to_pylist() for piece in pieces] == [[12, 19]]


def test_an_empty_line_in_a_file_of_one_column_is_a_record() -> None:
    pieces = _pieces(b'\n\nnote\na\n\n""\r\n\r\nb\n')
    assert _rows(pieces) == [{"note": "a"}, {"note": ""}, {"note": ""}, {"note": ""}, {"note": "b"}]
    assert [piece.records for piece in pieces] == [5]


def test_empty_lines_in_a_file_of_one_column_are_records_beside_broken_ones_too() -> None:
    pieces = _pieces(b'note\n\na"\n\r\n')
    assert _rows(pieces) == [{"note": ""}, {"note": ""}]
    assert [each.number for each in _unreadable(pieces)] == [2]


def test_a_record_longer_than_a_piece_is_read_whole() -> None:
    long = "x\n" * 100_000
    assert _rows(_pieces(HEADER + f'1,"{long}"\n2,b\n'.encode(), 1000)) == [
        {"id": "1", "note": long},
        {"id": "2", "note": "b"},
    ]


def test_only_the_first_part_of_a_huge_unreadable_record_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_RAW_BYTES", 10)
    (unreadable,) = _unreadable(_pieces(HEADER + b"x" * 15 + b"\n"))
    assert unreadable.raw == "x" * 10 + " […5 more bytes in the object]"


def test_a_header_alone_has_no_records() -> None:
    for content in (b"id,note", HEADER, HEADER + b"\n\r\n"):
        delivered = open_csv([content], "x.csv")
        assert delivered.header == ("id", "note")
        assert list(delivered.pieces) == []


@pytest.mark.parametrize("content", [b"", b"\n\r\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_an_object_without_a_header_is_refused(content: bytes) -> None:
    with pytest.raises(SourceSchemaError, match=r"day/x\.csv: expected a header"):
        _pieces(content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused(encoding: str) -> None:
    for text in ("id,note\n1,a\n", "\ufeff名前,値\n1,a\n"):
        with pytest.raises(BatchRefusedError, match="expected UTF-8, got UTF-16"):
            _pieces(text.encode(encoding))


def test_gzip_is_told_by_content() -> None:
    members = gzip.compress(HEADER + b"1,a") + gzip.compress(b"b\n")
    assert _rows(_pieces(members)) == [{"id": "1", "note": "ab"}]


@pytest.mark.parametrize("left_out", [1, 8, 200])
def test_gzip_that_is_cut_off_is_refused(left_out: int) -> None:
    content = gzip.compress(HEADER + b"".join(b"%d,%d\n" % (i, i * i) for i in range(1000)))
    with pytest.raises(BatchRefusedError, match=r"day/x\.csv: expected a whole gzip stream.*deliver it again"):
        _pieces(content[:-left_out])


def test_gzip_with_a_wrong_checksum_is_refused() -> None:
    content = bytearray(gzip.compress(HEADER + b"1,a\n"))
    content[-8] ^= 1
    with pytest.raises(BatchRefusedError, match="expected a whole gzip stream"):
        _pieces(bytes(content))


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize("tail", [b'"open', b'"', b'"a""', b'"a\n3,b\n4,c\n'])
def test_a_quote_that_never_closes_refuses_the_object(tail: bytes, piece_bytes: int) -> None:
    content = HEADER + b'1,5" pipe\n'
    with pytest.raises(BatchRefusedError, match=f"record 2 at byte {len(content)}.*deliver it again"):
        _pieces(content + b"2," + tail, piece_bytes)


def test_an_open_quote_does_not_take_all_memory() -> None:
    content = HEADER + b'1,"' + b"x" * 200_000
    with pytest.raises(BatchRefusedError, match="at most 1000 bytes, got no end of record 1 at byte 8"):
        list(open_csv([content], "x.csv", piece_bytes=100, record_bytes=1000).pieces)


def test_a_file_with_the_line_ends_of_old_macs_is_refused() -> None:
    with pytest.raises(SourceSchemaError, match="line ends LF or CRLF"):
        _pieces(b"id,note\r1,a\r2,b\r")


@pytest.mark.parametrize("header", [b'id,no"te\n', b'id,"a"b\n'])
def test_a_broken_header_refuses_the_object(header: bytes) -> None:
    with pytest.raises(SourceSchemaError, match="expected names separated by commas"):
        _pieces(header + b"1,2\n")


def test_an_open_quote_in_the_header_refuses_the_object() -> None:
    with pytest.raises(BatchRefusedError, match="in the header at byte 3"):
        _pieces(b'\xef\xbb\xbfid,"note\n1,2\n')


def test_a_count_that_differs_from_the_parsers_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = csv_reader._parse

    def parse_and_lose_one(lines: object, header: tuple[str, ...]) -> object:
        table, ragged = parse(lines, header)
        return table.slice(1), ragged

    monkeypatch.setattr(csv_reader, "_parse", parse_and_lose_one)
    with pytest.raises(BalanceError, match=r"day/x\.csv: expected 2 records between bytes 8 and 16"):
        _pieces(HEADER + b"1,a\n2,b\n")
