"""One reader's share of a landing, as it runs inside a Spark task: source → contract → typed Parquet. No Spark here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.batches import OFFSET, RECORD, LandedObjects, SourceObject
from jobs.config.column import AS_OF
from jobs.config.table import PostgresRead, Table
from jobs.contracts.contract import REJECTED, source_fields
from jobs.errors import BatchRefusedError, TidemarkError
from jobs.run.landing_files import ParquetFiles, TableLanding, TableWriter, unreadable_rows
from jobs.run.landing_replay import event_tables, land_replayed
from jobs.run.shares import ComputedShare, CsvShare, EventsShare, LandedShare, PostgresShare, ReplayShare, Share
from jobs.runtime.storage import Lake
from jobs.sources.csv_header import bind
from jobs.sources.csv_reader import open_csv
from jobs.sources.events_reader import EventPiece, Unmatched, read_events
from jobs.sources.postgres_rows import read_slice
from jobs.sources.records import Piece, Unreadable


def land_share(share: Share) -> LandedShare | TidemarkError:
    """Lands one share. A Tidemark error is returned, not raised: Spark would turn it into text and run the task again."""
    try:
        match share:
            case CsvShare():
                return _land_csv(share)
            case EventsShare():
                return _land_events(share)
            case PostgresShare():
                return _land_postgres(share)
            case ComputedShare():
                return _land_computed(share)
            case ReplayShare():
                return land_replayed(share)
        raise TypeError(share)
    except TidemarkError as error:
        return error


def _writer(share: Share, name: str, table: Table) -> TableWriter:
    return TableWriter(Lake(share.lake_url), share.place, name, table, share.number)


def _land_csv(share: CsvShare) -> LandedShare:
    lake, key = Lake(share.lake_url), share.source.key
    writer = _writer(share, share.name, share.table)
    with _unchanged(lake, share.source) as stream:
        delivered = open_csv(stream, key)
        wanted = source_fields(share.table)
        names = bind(delivered.header, list(wanted.values()), key)
        fields = {column: names[name] for column, name in wanted.items()}
        for piece in delivered.pieces:
            writer.add(piece, fields, key, empty_is_null=True, timezone=share.feed.timezone)
    return LandedShare(tables={share.name: writer.close()})


def _land_postgres(share: PostgresShare) -> LandedShare:
    assert isinstance(share.table.read, PostgresRead)
    fields, source = source_fields(share.table), share.table.read.table
    writer = _writer(share, f"_keys/{share.name}" if share.is_keys else share.name, share.table)
    for piece in read_slice(share.url, share.pipeline, share.snapshot, share.rows):
        writer.add(piece, fields, source, timezone=share.timezone)
    landed = {share.name: writer.close(share.rows.records)}
    return LandedShare(keys=landed) if share.is_keys else LandedShare(tables=landed)


def _land_computed(share: ComputedShare) -> LandedShare:
    """The transform's rows, judged like any other: their origin is the file, their number the place in it."""
    writer = _writer(share, share.name, share.table)
    start = 1
    for batch in pq.ParquetFile(BytesIO(Lake(share.lake_url).read(share.source) or b"")).iter_batches():
        writer.add(
            _numbered(batch, start), computed_fields(share.table), f"{share.table.transform} part {share.number}"
        )
        start += batch.num_rows
    return LandedShare(tables={share.name: writer.close()})


def computed_fields(table: Table) -> dict[str, str]:
    """Curated column → column of the transform's frame; the plan's time comes once per type that reads it."""
    return {
        name: f"{AS_OF}_{table.columns[name].type.kind}" if source == AS_OF else source
        for name, source in source_fields(table).items()
    }


def _numbered(batch: pa.RecordBatch, start: int) -> Piece:
    rows = pa.Table.from_batches([batch])
    rows = rows.append_column(RECORD, pa.array(range(start, start + rows.num_rows), pa.int64()))
    return Piece(rows.append_column(OFFSET, pa.nulls(rows.num_rows, pa.int64())), rows.num_rows)


def _land_events(share: EventsShare) -> LandedShare:
    lake = Lake(share.lake_url)
    writers = {name: _writer(share, name, table) for name, table in share.contract.items()}
    routes, fields = event_tables(share.contract), {n: source_fields(table) for n, table in share.contract.items()}
    unrouted = Unrouted(lake, share)
    for source in share.sources:
        with _unchanged(lake, source) as stream:
            for piece in read_events(stream, source.key, routes):
                for name, rows in piece.tables.items():
                    writers[name].add(rows, fields[name], source.key, timezone=share.feed.timezone)
                unrouted.add(piece, source.key)
    return unrouted.landed({name: writer.close() for name, writer in writers.items()})


class Unrouted:
    """Records of an events feed that no table takes: counted, and kept as the feed says."""

    def __init__(self, lake: Lake, share: EventsShare) -> None:
        self._policy = share.feed.on_unmatched
        self._rejected = ParquetFiles(lake, f"{share.place}/_unrouted/part-{share.number:05d}", REJECTED)
        self._records = 0
        self._ignored: Counter[str] = Counter()
        self._refusals: list[str] = []

    def add(self, piece: EventPiece, key: str) -> None:
        self._records += piece.records
        self._rejected.add(unreadable_rows(piece.unreadable, None, key))
        if self._policy == "ignore":
            self._ignored.update(each.kind for each in piece.unmatched)
        elif self._policy == "refuse":
            self._refusals += [f"{key} record {each.number}: {_reason(each)}" for each in piece.unmatched[:5]]
        if self._policy != "ignore":
            self._rejected.add(unreadable_rows(tuple(map(_as_unreadable, piece.unmatched)), None, key))

    def landed(self, tables: dict[str, TableLanding]) -> LandedShare:
        files = self._rejected.close()
        objects = LandedObjects(
            records=self._records, rejected=sum(each.rows for each in files), ignored=dict(self._ignored)
        )
        return LandedShare(tables=tables, rejected_files=files, objects=objects, refusals=tuple(self._refusals[:5]))


def _reason(record: Unmatched) -> str:
    return f"expected an event that a table of the feed takes, got {record.kind!r}"


def _as_unreadable(record: Unmatched) -> Unreadable:
    return Unreadable(record.number, record.offset, record.raw, _reason(record))


@contextmanager
def _unchanged(lake: Lake, planned: SourceObject) -> Iterator[BinaryIO]:
    """The object's stream. Raises BatchRefusedError if it is not what the plan names, before or after it was read."""
    _require_unchanged(lake, planned)
    with closing(lake.open(planned.key)) as stream:
        yield stream
    _require_unchanged(lake, planned)


def _require_unchanged(lake: Lake, planned: SourceObject) -> None:
    found = lake.head(planned.key)
    if found is None or (found.etag, found.size) != (planned.etag, planned.size):
        got = "no such object" if found is None else f"{found.size} bytes with ETag {found.etag}"
        raise BatchRefusedError(
            f"Reading {planned.key}: expected what the plan names ({planned.size} bytes with ETag {planned.etag}), got {got}. "
            "It was delivered again meanwhile: run the same command again to take what is there now."
        )
