"""What one task lands of one table: pieces of a source judged by the contract, and put as Parquet files of bounded size. No Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.batches import LandedFile, LandedTable
from jobs.config.table import Table
from jobs.contracts.contract import REJECTED, RowContract, landing_schema
from jobs.errors import LedgerConflictError
from jobs.runtime.storage import Lake
from jobs.sources.records import Piece, Unreadable

_ROWS_PER_FILE = 1_000_000
_BYTES_PER_FILE = 256 * 1024 * 1024
_REFUSALS_SHOWN = 5


@dataclass(frozen=True)
class TableLanding:
    """What was landed of one table, and why the whole batch must be refused, if it must."""

    table: LandedTable
    rejected_files: tuple[LandedFile, ...]
    refusals: tuple[str, ...]


class TableWriter:
    """Judges the pieces of one table, whatever object they come from, and puts what is accepted and what is rejected."""

    def __init__(self, lake: Lake, place: str, name: str, table: Table, number: int) -> None:
        """`place`: the landing's folder; `number`: that of the task, so that no two write the same file."""
        self._name, self._table = name, table
        self._accepted = ParquetFiles(lake, f"{place}/{name}/part-{number:05d}", landing_schema(table))
        self._rejected = ParquetFiles(lake, f"{place}/_rejected/{name}-{number:05d}", REJECTED)
        self._contracts: dict[object, RowContract] = {}
        self._records = self._filtered = self._warned = 0
        self._refusals: tuple[str, ...] = ()

    def add(
        self,
        piece: Piece,
        fields: Mapping[str, str],
        source: str,
        *,
        empty_is_null: bool = False,
        timezone: str = "UTC",
    ) -> None:
        """`fields`: column → field of the piece; `source`: the object's key or the source's table."""
        verdict = self._contract(piece, fields, empty_is_null, timezone).apply(piece.fields, source)
        self._accepted.add(verdict.accepted)
        self._rejected.add(_named(verdict.rejected, self._name))
        self._rejected.add(unreadable_rows(piece.unreadable, self._name, source))
        self._records += piece.records
        self._filtered += verdict.filtered
        self._warned += verdict.warned
        self._refusals += tuple(f"{self._name}: {refusal}" for refusal in verdict.refusals)

    def close(self, records: int | None = None) -> TableLanding:
        """What was landed. `records`: how many the source counted by itself; default: the sum of the pieces."""
        files, rejects = self._accepted.close(), self._rejected.close()
        table = LandedTable(
            files=files,
            records=self._records if records is None else records,
            landed=sum(each.rows for each in files),
            rejected=sum(each.rows for each in rejects),
            filtered=self._filtered,
            warned=self._warned,
        )
        return TableLanding(table, rejects, self._refusals[:_REFUSALS_SHOWN])

    def _contract(self, piece: Piece, fields: Mapping[str, str], empty_is_null: bool, timezone: str) -> RowContract:
        """Compiled once per layout: two objects of one table may have their columns in another order."""
        layout = (piece.fields.schema.names, piece.fields.schema.types, tuple(fields.items()))
        known = repr(layout)
        if known not in self._contracts:
            self._contracts[known] = RowContract(
                self._table, fields, piece.fields.schema, empty_is_null=empty_is_null, timezone=timezone
            )
        return self._contracts[known]


def unreadable_rows(records: tuple[Unreadable, ...], name: str | None, source: str) -> pa.Table:
    """REJECTED rows of records whose fields cannot be told apart; `name` None: no table is known for them."""
    rows = [
        {"table": name, "object": source, "record": r.number, "offset": r.offset, "raw": r.raw, "reasons": [r.reason]}
        for r in records
    ]
    return pa.Table.from_pylist(rows, schema=REJECTED)


def _named(rejected: pa.Table, name: str) -> pa.Table:
    return rejected.set_column(0, "table", pa.array([name] * rejected.num_rows, pa.string()))


class ParquetFiles:
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
