"""What every source hands to the contract: pieces of one object as Arrow, each record with its place in the object."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa


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
