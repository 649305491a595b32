"""Which table takes a record, and the record as a row of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from jobs.batches import OFFSET, RAW, RECORD
from jobs.sources.events_json import Fields, text
from jobs.sources.records import Piece

_Path = tuple[str, ...]
_PLACES = {RECORD: pa.int64(), OFFSET: pa.int64(), RAW: pa.string()}


@dataclass(frozen=True)
class EventTable:
    """What one table takes: records whose fields equal every entry of `match`, and of these the wanted `fields`.

    Paths are dotted and walk nested objects: a name with a dot in it is never meant. An empty `match` takes every
    record. No two tables may match the same record (config refuses that); the first would take it.
    """

    name: str
    match: Mapping[str, str]
    fields: tuple[str, ...]


class Routing:
    """Tells tables apart by the paths that any of them matches on."""

    def __init__(self, tables: Sequence[EventTable]) -> None:
        self._tables = tables
        matched = dict.fromkeys(path for table in tables for path in table.match)
        self._matched = [(path, _steps(path)) for path in matched]
        self._fields = {table.name: [_steps(path) for path in table.fields] for table in tables}
        self._table_of = lru_cache(1 << 10)(self._first_match)

    def kind_of(self, fields: Fields, raw: bytes) -> tuple[str | None, ...]:
        """The record's values of the paths that any table matches on."""
        return tuple([text(fields, raw, steps) for _, steps in self._matched])

    def table_of(self, kind: tuple[str | None, ...]) -> str | None:
        return self._table_of(kind)

    def row(self, table: str, fields: Fields, raw: bytes) -> list[str | None]:
        """The wanted fields, in the table's order."""
        return [text(fields, raw, steps) for steps in self._fields[table]]

    def _first_match(self, kind: tuple[str | None, ...]) -> str | None:
        values = dict(zip((path for path, _ in self._matched), kind, strict=True))
        for table in self._tables:
            if all(values[path] == wanted for path, wanted in table.match.items()):
                return table.name
        return None

    def pieces(self, cells: Mapping[str, list[object]]) -> dict[str, Piece]:
        """As Arrow; tables without rows are left out. `cells`: row after row of `row`, its number, its offset, its raw bytes.

        One flat list per table: the garbage collector would walk a list per row again and again.
        """
        return {table.name: _piece(table, cells[table.name]) for table in self._tables if cells.get(table.name)}


def _piece(table: EventTable, cells: list[object]) -> Piece:
    types = [*((name, pa.string()) for name in table.fields), *_PLACES.items()]
    columns = [pa.array(cells[at :: len(types)], kind) for at, (_, kind) in enumerate(types)]
    return Piece(pa.table(columns, schema=pa.schema(types)), len(cells) // len(types))


def _steps(path: str) -> _Path:
    return tuple(path.split("."))
