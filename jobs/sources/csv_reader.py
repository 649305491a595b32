"""One CSV object as pieces of bounded memory, every field as text.

Our splitter says where records are and how many; pyarrow tells their fields apart; the two counts must agree. Column
types belong to the contract, not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from jobs.batches import OFFSET, RECORD
from jobs.errors import BalanceError, BatchRefusedError, SourceSchemaError
from jobs.sources.csv_header import header_names
from jobs.sources.csv_records import Records, split, without_line_end
from jobs.sources.plain_bytes import BOM, RECORD_BYTES, PlainBytes
from jobs.sources.records import Piece, Unreadable, raw_text

PIECE_BYTES = 16 << 20
_HEADER_BYTES = 1 << 16
_ENDLESS = "A quote there is never closed, or lines end in neither LF nor CRLF."


@dataclass(frozen=True)
class CsvObject:
    """`header`: the names as delivered. `pieces` can be read once; a refusal may come with any of them."""

    header: tuple[str, ...]
    pieces: Iterator[Piece]


def read_csv(
    source: Iterable[bytes] | BinaryIO,
    object_key: str,
    *,
    piece_bytes: int = PIECE_BYTES,
    record_bytes: int = RECORD_BYTES,
) -> Iterator[Piece]:
    """The records of one CSV, plain or gzip, in order; none for a header alone. See `open_csv`."""
    return open_csv(source, object_key, piece_bytes=piece_bytes, record_bytes=record_bytes).pieces


def open_csv(
    source: Iterable[bytes] | BinaryIO,
    object_key: str,
    *,
    piece_bytes: int = PIECE_BYTES,
    record_bytes: int = RECORD_BYTES,
) -> CsvObject:
    """The header, read at once, and the pieces to come. `_offset` is in decompressed bytes, a byte order mark included.

    Empty lines are no records, except in a file of one column, where COPY writes NULL like that. Raises
    SourceSchemaError for a header that is missing or ambiguous, BatchRefusedError where the structure is lost (UTF-16,
    an open quote, a cut-off gzip): pieces that came before must not be used then.
    """
    content = PlainBytes(source, object_key)
    record, rest = _first_record(content, object_key, min(piece_bytes, _HEADER_BYTES), record_bytes)
    header = header_names(record, object_key)
    return CsvObject(header, _pieces(content, rest, header, object_key, piece_bytes, record_bytes))


def _first_record(content: PlainBytes, object_key: str, size: int, record_bytes: int) -> tuple[bytes, bytes]:
    """The header without its line end, and what was read after it."""
    size = max(size, 4)  # enough for any byte order mark
    data = content.read(size)
    is_last = len(data) < size
    data = data.removeprefix(BOM)
    found = split(data, is_last=is_last, keep_empty_lines=False)
    while not found.starts.size and not is_last:
        content.require_end(data, "the header", record_bytes, _ENDLESS)
        size = max(size, len(data))
        more = content.read(size)
        is_last = len(more) < size
        data += more
        found = split(data, is_last=is_last, keep_empty_lines=False)
    if not found.starts.size and found.end < len(data):
        raise _open_quote(0, content.position - len(data) + found.end, object_key)
    if not found.starts.size:
        raise SourceSchemaError(
            f"Reading {object_key}: expected a header, got {content.position} bytes without one. "
            "Deliver the file again, with its header."
        )
    header = without_line_end(data[int(found.starts[0]) : int(found.stops[0])])
    if 0 in found.broken:
        raise SourceSchemaError(
            f"Reading the header of {object_key}: expected names separated by commas, got {found.broken[0]}, "
            f"in {header[:200]!r}. Deliver the file with a header after RFC 4180 and line ends LF or CRLF."
        )
    return header, data[int(found.stops[0]) :]


def _pieces(
    content: PlainBytes, rest: bytes, header: tuple[str, ...], object_key: str, piece_bytes: int, record_bytes: int
) -> Iterator[Piece]:
    number = 1
    is_last = False
    while not is_last:
        size = max(piece_bytes, len(rest))  # doubling: a record longer than a piece is not looked at once per piece
        more = content.read(size)
        is_last = len(more) < size
        data = rest + more
        offset = content.position - len(data)
        found = split(data, is_last=is_last, keep_empty_lines=len(header) == 1)
        if found.starts.size:
            yield _piece(data, found, header, number, offset, object_key)
        number += found.starts.size
        rest = data[found.end :]
        if is_last and rest:
            raise _open_quote(number, offset + found.end, object_key)
        content.require_end(rest, f"record {number}", record_bytes, _ENDLESS)


def _open_quote(number: int, offset: int, object_key: str) -> BatchRefusedError:
    where = f"record {number}" if number else "the header"
    return BatchRefusedError(
        f"Reading {object_key}: expected every quoted field to be closed, got an open one at the end of the file, "
        f"in {where} at byte {offset}. The file looks truncated, or a quote there is missing: deliver it again."
    )


def _piece(data: bytes, found: Records, header: tuple[str, ...], number: int, offset: int, object_key: str) -> Piece:
    count = found.starts.size
    reasons = found.broken | _undecodable(data, found)
    readable = np.ones(count, np.bool_)
    readable[list(reasons)] = False
    fields, ragged = _parse(_lines(data, found, readable), header)
    parsed = np.flatnonzero(readable)
    reasons |= {int(parsed[row - 1]): reason for row, reason in ragged.items()}
    readable[list(reasons)] = False
    if fields.num_rows + len(reasons) != count:
        raise BalanceError(
            f"Reading {object_key}: expected {count} records between bytes {offset} and {offset + found.end}, "
            f"got {fields.num_rows} parsed and {len(reasons)} unreadable. Keep the file: the splitter and the parser "
            "disagree, which is an error of Tidemark."
        )
    unreadable = tuple(
        Unreadable(
            number + index,
            offset + int(found.starts[index]),
            raw_text(without_line_end(data[found.starts[index] : found.stops[index]])),
            reasons[index],
        )
        for index in sorted(reasons)
    )
    fields = fields.append_column(RECORD, pa.array(number + np.flatnonzero(readable)))
    fields = fields.append_column(OFFSET, pa.array(offset + found.starts[readable]))
    return Piece(fields, count, unreadable)


def _lines(data: bytes, found: Records, readable: NDArray[np.bool_]) -> pa.Buffer:
    """The readable records and nothing between them; the data itself where it holds nothing else."""
    starts, stops = found.starts[readable], found.stops[readable]
    if not starts.size:
        return pa.py_buffer(b"")
    gaps = np.flatnonzero(starts[1:] != stops[:-1])
    runs = zip([starts[0], *starts[gaps + 1]], [*stops[gaps], stops[-1]], strict=True)
    view = memoryview(data)
    parts = [view[start:stop] for start, stop in runs]
    return pa.py_buffer(parts[0] if len(parts) == 1 else b"".join(parts))


def _parse(lines: pa.Buffer, header: tuple[str, ...]) -> tuple[pa.Table, dict[int, str]]:
    """The fields as text, and row (from 1) → what is wrong with it for rows with too few or too many fields."""
    types = {name: pa.string() for name in header}
    ragged: dict[int, str] = {}
    if not lines.size:
        return pa.schema(types.items()).empty_table(), ragged

    def keep_aside(row: arrow_csv.InvalidRow) -> str:
        ragged[row.number] = f"expected {row.expected_columns} fields, got {row.actual_columns}"
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(lines),
        # One block, or a record longer than a block fails; one thread, or rows have no numbers.
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=lines.size + 1, column_names=header),
        parse_options=arrow_csv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=len(header) > 1, invalid_row_handler=keep_aside
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types, strings_can_be_null=False, quoted_strings_can_be_null=False
        ),
    )
    return table, ragged


def _undecodable(data: bytes, found: Records) -> dict[int, str]:
    """Record → why, for records that are not UTF-8; pyarrow would refuse the whole piece for one of them."""
    if data.isascii() or _is_utf8(data[: found.end]):
        return {}
    reasons = {}
    high = np.flatnonzero(np.frombuffer(data, np.uint8)[: found.end] >= 0x80)
    for index in map(int, np.unique(np.searchsorted(found.stops, high, side="right"))):
        try:
            data[found.starts[index] : found.stops[index]].decode()
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            reasons[index] = f"expected UTF-8, got the byte {byte:#04x} at position {error.start} of the record"
    return reasons


def _is_utf8(data: bytes) -> bool:
    bounds = np.array([0, len(data)], np.int32)
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(bounds), pa.py_buffer(data)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
