"""What every source hands to the contract: pieces of one object as Arrow, each record with its place in the object."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

_RAW_BYTES = 1 << 20


@dataclass(frozen=True)
class Unreadable:
    """A record whose fields cannot be told apart. `number` counts from 1 without the header; `offset` in bytes."""

    number: int
    offset: int
    raw: str
    reason: str


@dataclass(frozen=True)
class Piece:
    """Some records of one object.

    `fields`: one row per readable record, one column per source field (text as delivered, or an exact Arrow type), plus
    `_record` (int64, from 1) and `_offset` (int64 bytes, null where the source has none).
    `records`: how many records the piece has, counted before they were parsed: `fields.num_rows + len(unreadable)` must equal it.
    """

    fields: pa.Table
    records: int
    unreadable: tuple[Unreadable, ...] = field(default=())


def raw_text(record: bytes) -> str:
    """An unreadable record as delivered, bytes that are not UTF-8 as \\xNN; of a very long one the beginning."""
    shown = record[:_RAW_BYTES].decode(errors="backslashreplace")
    left_out = len(record) - _RAW_BYTES
    return f"{shown} […{left_out} more bytes in the object]" if left_out > 0 else shown
