"""One object of JSON events as pieces of bounded memory, every wanted field as text.

The splitter says where records are and how many; what the tables took, what none wanted and what cannot be read must
add up to that. Column types belong to the contract, not here. Measured on one busy core: 38 to 46 MB/s (69,000 records a
second) however records are delimited; half of it is strict parsing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from jobs.errors import BalanceError
from jobs.sources.events_records import Record, Splitter
from jobs.sources.events_routing import EventTable, Routing
from jobs.sources.plain_bytes import BOM, RECORD_BYTES, PlainBytes
from jobs.sources.records import Piece, Unreadable, raw_text

PIECE_BYTES = 16 << 20
_ENDLESS = "A bracket or quote there is never closed."


@dataclass(frozen=True)
class Unmatched:
    """A valid record that no table wants. `kind`: its values of the paths that tables match on ('track / Page Viewed'), '-' where absent."""

    number: int
    offset: int
    raw: str
    kind: str


@dataclass(frozen=True)
class EventPiece:
    """Some records of one object; every record is in exactly one place: a table's piece, `unmatched` or `unreadable`.

    `tables`: one row per record with the wanted fields as text, `_record` (from 1), `_offset` (in decompressed bytes, a
    byte order mark included) and `_raw` (the record's own text); tables that got no record are left out. `records`
    comes from the splitter.
    """

    tables: dict[str, Piece]
    records: int
    unreadable: tuple[Unreadable, ...]
    unmatched: tuple[Unmatched, ...]


def read_events(
    source: Iterable[bytes] | BinaryIO,
    object_key: str,
    tables: Sequence[EventTable],
    *,
    piece_bytes: int = PIECE_BYTES,
    record_bytes: int = RECORD_BYTES,
) -> Iterator[EventPiece]:
    """The records of one object, plain or gzip, in order; nothing for an object without any.

    Raises BatchRefusedError where the object cannot be read at all (UTF-16, a cut-off gzip, a record without end):
    pieces that came before must not be used then.
    """
    content = PlainBytes(source, object_key)
    splitter, routing = Splitter(), Routing(tables)
    rest = b""
    number = 1
    is_last = False
    while not is_last:
        size = max(piece_bytes, len(rest), 4)  # doubling: a record longer than a piece is not looked at once per piece
        more = content.read(size)
        is_last = len(more) < size
        data = rest + more
        if content.position == len(data):
            data = data.removeprefix(BOM)
        offset = content.position - len(data)
        piece = _piece(splitter.split(data, is_last=is_last), routing, number, offset)
        number += piece.records
        _check_balance(piece, number - 1, splitter.count, object_key)
        if piece.records:
            yield piece
        rest = data[splitter.end :]
        content.require_end(rest, f"record {number}", record_bytes, _ENDLESS)


def _piece(records: Iterator[Record], routing: Routing, number: int, offset: int) -> EventPiece:
    cells: dict[str, list[object]] = defaultdict(list)
    unreadable, unmatched = [], []
    first = number
    for number, (start, raw, content) in enumerate(records, first):
        place = offset + start
        if isinstance(content, str):
            unreadable.append(Unreadable(number, place, raw_text(raw), content))
            continue
        kind = routing.kind_of(content, raw)
        table = routing.table_of(kind)
        if table is None:
            shown_kind = " / ".join("-" if value is None else value for value in kind)
            unmatched.append(Unmatched(number, place, raw.decode(), shown_kind))
        else:
            cells[table] += (*routing.row(table, content, raw), number, place, raw)
    pieces = routing.pieces(cells)
    count = sum(piece.fields.num_rows for piece in pieces.values()) + len(unreadable) + len(unmatched)
    return EventPiece(pieces, count, tuple(unreadable), tuple(unmatched))


def _check_balance(piece: EventPiece, got: int, expected: int, object_key: str) -> None:
    if got != expected:
        raise BalanceError(
            f"Reading {object_key}: expected {expected} records up to here, got {got} in tables, unmatched and "
            f"unreadable ({piece.records} of them in the last piece). Keep the object: this is an error of Tidemark."
        )


__all__ = ["EventPiece", "EventTable", "Unmatched", "read_events"]
