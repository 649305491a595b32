"""Rejected records as pieces of their source once more, in a Spark task. No Spark here.

`raw` is the record's own text where its fields could not be told apart, and of every event; else a JSON object of the source's fields.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from jobs.batches import OFFSET, RAW, RECORD, Contract, LandedObjects
from jobs.config.feed import CsvFeed, EventsFeed
from jobs.config.table import EventsRead, Table
from jobs.contracts.contract import REJECTED, source_fields
from jobs.run.landing_files import ParquetFiles, TableWriter, unreadable_rows
from jobs.run.rejected import Rejected
from jobs.run.shares import LandedShare, ReplayShare
from jobs.runtime.storage import Lake
from jobs.sources.events_reader import EventTable, read_events
from jobs.sources.records import Piece, Unreadable

_Row = dict[str, Any]


def event_tables(contract: Contract) -> list[EventTable]:
    """What each table of an events feed takes, as its reader wants to know it."""
    return [
        EventTable(name, table.read.match, tuple(dict.fromkeys(source_fields(table).values())))
        for name, table in contract.items()
        if isinstance(table.read, EventsRead)
    ]


def land_replayed(share: ReplayShare) -> LandedShare:
    """Every record goes to its table if it can be read now, else it is rejected again with what it is, at its old place."""
    lake = Lake(share.lake_url)
    writers = {n: TableWriter(lake, share.place, n, t, share.number) for n, t in share.contract.items()}
    again = ParquetFiles(lake, f"{share.place}/_unrouted/part-{share.number:05d}", REJECTED)
    readable: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for record in share.records:
        found = _readable(record, share)
        if found is None:
            again.add(unreadable_rows((_as_it_was(record),), record.table, record.object))
        else:
            name, row = found
            readable[name, record.object].append(row)
    is_csv = isinstance(share.feed, CsvFeed)
    for (name, source), rows in readable.items():  # together: judging them one by one takes 10 ms each
        fields = source_fields(share.contract[name])
        writers[name].add(_piece(rows, fields), fields, source, empty_is_null=is_csv, timezone=share.feed.timezone)
    tables = {name: writer.close() for name, writer in writers.items()}
    files = again.close()
    routed = sum(each.table.records for each in tables.values())
    rejected = sum(each.rows for each in files)
    objects = LandedObjects(records=len(share.records), rejected=rejected, ignored={})
    assert routed + rejected == len(share.records)
    return LandedShare(tables=tables, rejected_files=files, objects=objects)


def _readable(record: Rejected, share: ReplayShare) -> tuple[str, _Row] | None:
    """The table, and field → text with the record's old place; None where it still cannot be read."""
    if record.table in share.contract:
        table = share.contract[record.table]
        flat = _flat_fields(record, table, is_folded=isinstance(share.feed, CsvFeed))
        if flat is not None:
            return record.table, flat | _place(record)
    return _event(record, share) if isinstance(share.feed, EventsFeed) else None


def _flat_fields(record: Rejected, table: Table, *, is_folded: bool) -> dict[str, str | None] | None:
    """Field → text, if `raw` is a JSON object that has every field of the contract."""
    try:
        raw = json.loads(record.raw, parse_float=str, parse_int=str)
    except ValueError:
        return None
    if not isinstance(raw, dict):
        return None
    known = {name.casefold() if is_folded else name: value for name, value in raw.items()}
    wanted = {field: field.casefold() if is_folded else field for field in source_fields(table).values()}
    return {field: _text(known[name]) for field, name in wanted.items()} if set(wanted.values()) <= set(known) else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _event(record: Rejected, share: ReplayShare) -> tuple[str, _Row] | None:
    """Read and routed as if it stood in an object alone."""
    pieces = list(read_events([record.raw.encode()], record.object, event_tables(share.contract)))
    found = [(name, rows) for piece in pieces for name, rows in piece.tables.items()]
    if len(found) != 1 or found[0][1].records != 1:
        return None
    name, rows = found[0]
    return name, rows.fields.to_pylist()[0] | _place(record)


def _place(record: Rejected) -> _Row:
    """Its old place and its old text: a record that fails again is the same record."""
    return {RECORD: record.record, OFFSET: record.offset, RAW: record.raw}


def _piece(rows: list[_Row], fields: Mapping[str, str]) -> Piece:
    texts = [(name, pa.string()) for name in dict.fromkeys(fields.values())]
    schema = pa.schema([*texts, (RECORD, pa.int64()), (OFFSET, pa.int64()), (RAW, pa.string())])
    return Piece(pa.Table.from_pylist(rows, schema=schema), len(rows))


def _as_it_was(record: Rejected) -> Unreadable:
    return Unreadable(
        record.record, record.offset if record.offset is not None else 0, record.raw, "; ".join(record.reasons)
    )
