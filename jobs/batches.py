"""What the stages of a run hand to each other, and what the ledger stores: plan, manifest, checked, export, outcome.

Plain frozen data, JSON on disk; no rule and no input or output belongs here. Paths are relative to the lake's root.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from jobs.config.pipeline import Table

RECORD, OFFSET, INEXACT = "_record", "_offset", "_inexact_"
"""Names that sources add to the fields of a piece: the record's number, its byte offset, and before a field's name the text of a
value that the field's Arrow type cannot hold."""

Contract = dict[str, Table]
"""The tables of a feed as their contract reads, in file order."""


class Stored(BaseModel):
    """Frozen, and strict about keys, so that a file of another version is refused instead of half read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=1, by_alias=True).encode()


class SourceObject(Stored):
    """One delivered file; `etag` tells a redelivery from the object that was read before. `size` in bytes."""

    key: str
    size: int
    etag: str
    version_id: str | None = None


class IdRange(Stored):
    """Rows with `after < id <= ceiling`; every transaction open when `ceiling` was the highest id has ended since."""

    after: int
    ceiling: int


class Plan(Stored):
    """One claimed batch. `objects` are read per table; `superseded` ones are consumed without being read."""

    pipeline: str
    feed: str
    number: int
    run_id: str
    reason: str
    as_of: datetime
    accept_shrink: bool = False
    objects: dict[str, SourceObject] = {}
    superseded: tuple[SourceObject, ...] = ()
    ranges: dict[str, IdRange] = {}


class LandedFile(Stored):
    """One Parquet file; `sha256` of its bytes."""

    path: str
    rows: int
    size: int
    sha256: str


class LandedTable(Stored):
    """Counts of one table's reading: `records = landed + rejected + filtered`, each counted where it happens.

    `records` comes from the record splitter (files) or the database's own row count, not from the typed output.
    """

    files: tuple[LandedFile, ...]
    records: int
    landed: int
    rejected: int
    filtered: int
    warned: int = 0


class Manifest(Stored):
    """Written last: a landing without it does not exist. `next_bounds` are the lower bounds of the next batch, per table."""

    attempt: str
    contract: Contract
    contract_digest: str
    tables: dict[str, LandedTable]
    rejected_files: tuple[LandedFile, ...]
    snapshot: str | None = None
    next_bounds: dict[str, int] = {}


class CheckedTable(Stored):
    """`accepted = landed - rejected`; of these, `superseded` have a key that the batch holds already (mode insert)."""

    accepted: int
    rejected: int
    superseded: int


class Checked(Stored):
    """The verdict on a landing, written before any table is: its rejects (`rejected_folder`, if any) are final for this attempt."""

    attempt: str
    tables: dict[str, CheckedTable]
    rejected_folder: str | None


class WrittenTable(Stored):
    """One tagged Delta commit. `accepted = written + unchanged + superseded`; `rows` is the whole table's count after it."""

    version: int
    rows: int
    written: int
    unchanged: int
    superseded: int


class ExportedTable(Stored):
    """The rows with this batch's number at the commit's version, as Parquet for the warehouse."""

    contract: Table
    files: tuple[str, ...]
    rows: int


class ExportManifest(Stored):
    """What the load may publish, with the counts it checks."""

    attempt: str
    tables: dict[str, ExportedTable]


class Outcome(Stored):
    """The end of a batch. Nothing else stores progress."""

    status: Literal["committed", "void"]
    reason: str
    attempt: str | None = None
    contract_digest: str | None = None
    landed: dict[str, LandedTable] = {}
    checked: dict[str, CheckedTable] = {}
    written: dict[str, WrittenTable] = {}
    quarantined: int = 0
    export: str | None = None
    next_bounds: dict[str, int] = {}
    finished_at: datetime


class Published(Stored):
    """A memo for people: when the warehouse got the batch."""

    load_id: str
    published_at: datetime
    rows: dict[str, int]
