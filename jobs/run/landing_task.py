"""One reader's share of a landing, as it runs inside a Spark task: source → contract → typed Parquet. No Spark here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.batches import LandedFile, SourceObject
from jobs.config.pipeline import CsvFeed, Table
from jobs.contracts.contract import REJECTED, RowContract, landing_schema, source_fields
from jobs.errors import BatchRefusedError, LedgerConflictError, TidemarkError
from jobs.runtime.storage import Lake
from jobs.sources.csv_header import bind
from jobs.sources.csv_reader import open_csv
from jobs.sources.postgres_rows import IdSlice, read_slice
from jobs.sources.records import Piece

_ROWS_PER_FILE = 1_000_000
_BYTES_PER_FILE = 256 * 1024 * 1024


@dataclass(frozen=True)
class Share:
    """What one task reads of the table `name`. `place` is the landing's folder, `number` its place among the table's shares."""

    name: str
    table: Table
    place: str
    number: int
    lake_url: str


@dataclass(frozen=True)
class CsvShare(Share):
    """One object of a CSV feed."""

    feed: CsvFeed
    source: SourceObject


@dataclass(frozen=True)
class PostgresShare(Share):
    """One slice of a Postgres table, read under the batch's snapshot."""

    timezone: str
    pipeline: str
    url: str = field(repr=False)
    snapshot: str
    ids: IdSlice


@dataclass(frozen=True)
class LandedShare:
    """What a task landed. `records` as the splitter or the database counted them; `refusals`: why the whole batch must be refused."""

    name: str
    files: tuple[LandedFile, ...]
    rejected_files: tuple[LandedFile, ...]
    records: int
    landed: int
    rejected: int
    filtered: int
    warned: int
    refusals: tuple[str, ...]


def land_share(share: Share) -> LandedShare | TidemarkError:
    """Lands one share. A Tidemark error is returned, not raised: Spark would turn it into text and run the task again."""
    try:
        if isinstance(share, CsvShare):
            return _land_csv(share)
        assert isinstance(share, PostgresShare)
        return _land_postgres(share)
    except TidemarkError as error:
        return error


def _land_csv(share: CsvShare) -> LandedShare:
    lake, source = Lake(share.lake_url), share.source
    _require_unchanged(lake, source)
    with closing(lake.open(source.key)) as stream:
        delivered = open_csv(stream, source.key)
        wanted = source_fields(share.table)
        fields = bind(delivered.header, list(wanted.values()), source.key)
        bound = {column: fields[name] for column, name in wanted.items()}
        landed = _land(
            lake, share, delivered.pieces, bound, source.key, empty_is_null=True, timezone=share.feed.timezone
        )
    _require_unchanged(lake, source)
    return landed


def _land_postgres(share: PostgresShare) -> LandedShare:
    assert share.table.read is not None
    pieces = read_slice(share.url, share.pipeline, share.snapshot, share.ids)
    fields, table = source_fields(share.table), share.table.read.table
    landed = _land(Lake(share.lake_url), share, pieces, fields, table, empty_is_null=False, timezone=share.timezone)
    return replace(landed, records=share.ids.records)


def _land(
    lake: Lake,
    share: Share,
    pieces: Iterator[Piece],
    fields: dict[str, str],
    source: str,
    *,
    empty_is_null: bool,
    timezone: str,
) -> LandedShare:
    accepted = _ParquetFiles(lake, f"{share.place}/{share.name}/part-{share.number:05d}", landing_schema(share.table))
    rejected = _ParquetFiles(lake, f"{share.place}/_rejected/{share.name}-{share.number:05d}", REJECTED)
    contract: RowContract | None = None
    records = filtered = warned = 0
    refusals: tuple[str, ...] = ()
    for piece in pieces:
        contract = contract or RowContract(
            share.table, fields, piece.fields.schema, empty_is_null=empty_is_null, timezone=timezone
        )
        verdict = contract.apply(piece.fields, source)
        accepted.add(verdict.accepted)
        rejected.add(
            verdict.rejected.set_column(0, "table", pa.array([share.name] * verdict.rejected.num_rows, pa.string()))
        )
        rejected.add(_unreadable(piece, share.name, source))
        records, filtered, warned = records + piece.records, filtered + verdict.filtered, warned + verdict.warned
        refusals += verdict.refusals
    files, rejects = accepted.close(), rejected.close()
    return LandedShare(
        name=share.name,
        files=files,
        rejected_files=rejects,
        records=records,
        landed=sum(each.rows for each in files),
        rejected=sum(each.rows for each in rejects),
        filtered=filtered,
        warned=warned,
        refusals=tuple(f"{share.name}: {refusal}" for refusal in refusals[:5]),
    )


def _unreadable(piece: Piece, name: str, source: str) -> pa.Table:
    rows = [
        {"table": name, "object": source, "record": r.number, "offset": r.offset, "raw": r.raw, "reasons": [r.reason]}
        for r in piece.unreadable
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED)


def _require_unchanged(lake: Lake, planned: SourceObject) -> None:
    found = lake.head(planned.key)
    if found is None or (found.etag, found.size) != (planned.etag, planned.size):
        got = "no such object" if found is None else f"{found.size} bytes with ETag {found.etag}"
        raise BatchRefusedError(
            f"Reading {planned.key}: expected what the plan names ({planned.size} bytes with ETag {planned.etag}), got {got}. "
            "It was delivered again meanwhile: run the same command again to take what is there now."
        )


class _ParquetFiles:
    """Parquet files of bounded size, each put once it is full; nothing is put for no rows."""

    def __init__(self, lake: Lake, prefix: str, schema: pa.Schema) -> None:
        self._lake, self._prefix, self._schema = lake, prefix, schema
        self._files: list[LandedFile] = []
        self._start()

    def _start(self) -> None:
        self._rows = 0
        self._buffer = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(self._buffer, self._schema, compression="snappy")

    def add(self, rows: pa.Table) -> None:
        if rows.num_rows == 0:
            return
        self._writer.write_table(rows)
        self._rows += rows.num_rows
        if self._rows >= _ROWS_PER_FILE or self._buffer.tell() >= _BYTES_PER_FILE:
            self._put()
            self._start()

    def close(self) -> tuple[LandedFile, ...]:
        if self._rows:
            self._put()
        return tuple(self._files)

    def _put(self) -> None:
        self._writer.close()
        content = self._buffer.getvalue().to_pybytes()
        path = f"{self._prefix}-{len(self._files):03d}.parquet"
        if not self._lake.create(path, content):
            raise LedgerConflictError(
                f"Landing {path}: expected the folder of a new attempt, got one with this file in it. Run again."
            )
        self._files.append(
            LandedFile(path=path, rows=self._rows, size=len(content), sha256=sha256(content).hexdigest())
        )
