"""What the stages of a run hand to each other, and what the ledger stores: plan, manifest, checked, export, outcome.

Plain frozen data, JSON on disk; no rule and no input or output belongs here. Paths are relative to the lake's root.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.config.table import Table

BATCH = "_batch"
"""The column of every curated and quarantined row that names the batch which last wrote it."""

RECORD, OFFSET, INEXACT, RAW = "_record", "_offset", "_inexact_", "_raw"
"""Names that sources add to the fields of a piece: the record's number, its byte offset, before a field's name the text of a value that
the field's Arrow type cannot hold, and the record's own text, where a source has it."""

Purpose = Literal["new", "full", "backfill", "replay"]

Contract = dict[str, Table]
"""The tables of a feed as their contract reads, in file order."""


class Stored(BaseModel):
    """Frozen, and strict about keys, so that a file of another version is refused instead of half read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=1, by_alias=True).encode()


class SourceObject(Stored):
    """One delivered file; `etag` tells a redelivery from the object that was read before. `size` in bytes.

    `table`: the table that it holds; None where an object holds records of several.
    """

    key: str
    size: int
    etag: str
    version_id: str | None = None
    table: str | None = None


class IdRange(Stored):
    """Rows with `after < id <= ceiling`; every transaction open when `ceiling` was the highest id has ended since."""

    kind: Literal["ids"] = "ids"
    after: int
    ceiling: int


class ChangedSince(Stored):
    """Every visible row with `since <= cursor` (None: from the beginning), and for a backfill `cursor < before`; both UTC.

    `null_cursors`: how many rows had no cursor when the batch was claimed.
    """

    kind: Literal["changes"] = "changes"
    since: datetime | None
    before: datetime | None = None
    null_cursors: int = 0


class WholeTable(Stored):
    """Every visible row."""

    kind: Literal["whole"] = "whole"


Window = Annotated[IdRange | ChangedSince | WholeTable, Field(discriminator="kind")]

Bound = int | datetime
"""Where the next batch of a table begins: the last id that was read, or the commit-safe horizon (UTC)."""


class TableVersion(Stored):
    """The last committed `batch` that changed a table, and the table's Delta `version` after it."""

    batch: int
    version: int


class RecordId(Stored):
    """A quarantined record of the plan's feed: the batch that rejected it, its object and its number there.

    `table`: two tables may read one table of the source; None where no table is known for the record.
    """

    batch: int
    table: str | None
    object: str
    record: int


class BackfillPart(Stored):
    """One chunk of the backfill `name` (its bounds, as given): the `number`-th, from 1, `of` so many."""

    name: str
    number: int
    of: int


class Plan(Stored):
    """One claimed batch of `feed` (a feed, or a derived table).

    - Files: `objects` are read; `superseded` ones (an older night) and those `set_aside` (a redelivery for mode `append`) are consumed
      without being read. `newest_folder`: the latest dated folder among all of these.
    - Postgres: a window per table.
    - Derived: the pinned versions of its `inputs`; `since` holds the batches up to which it has seen each of them.
    - Replay: `replays` names quarantined records of earlier batches.

    `as_of` is the time of the rows: the folder's date for whole nights (mode `replace`), else the run's. Only a batch with the purpose
    `new` or `full` moves lower bounds.
    """

    pipeline: str
    feed: str
    number: int
    run_id: str
    reason: str
    as_of: datetime
    purpose: Purpose = "new"
    accept_shrink: bool = False
    objects: tuple[SourceObject, ...] = ()
    superseded: tuple[SourceObject, ...] = ()
    set_aside: tuple[SourceObject, ...] = ()
    newest_folder: datetime | None = None
    windows: dict[str, Window] = {}
    inputs: dict[str, TableVersion] = {}
    since: dict[str, int] = {}
    replays: tuple[RecordId, ...] = ()
    backfill: BackfillPart | None = None

    @property
    def reads_something(self) -> bool:
        return bool(self.objects or self.windows or self.inputs or self.replays)


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


class LandedObjects(Stored):
    """What the objects of an events feed held: `records = the tables' records + rejected + ignored`; `ignored` by kind of event."""

    records: int
    rejected: int
    ignored: dict[str, int]


class Manifest(Stored):
    """Written last: a landing without it does not exist. `next_bounds` are the lower bounds of the next batch, per table.

    `keys` hold key columns, per table: every key under the snapshot where deletes are reconciled, the affected ones of a derived table.
    `snapshot_at`: the time of the rows' snapshot (UTC); None where rows come without one.
    """

    attempt: str
    contract: Contract
    contract_digest: str
    tables: dict[str, LandedTable]
    rejected_files: tuple[LandedFile, ...]
    objects: LandedObjects | None = None
    keys: dict[str, tuple[LandedFile, ...]] = {}
    snapshot: str | None = None
    snapshot_at: datetime | None = None
    next_bounds: dict[str, Bound] = {}


class CheckedTable(Stored):
    """`landed = accepted + rejected + filtered`; of the accepted, `superseded` have a key of which the batch holds a row that wins.

    `deleted`: rows of the curated table that are gone from the source, or from what a derived table's transform returns; their keys
    lie in `deleted_keys`.
    """

    accepted: int
    rejected: int
    superseded: int
    filtered: int = 0
    warned: int = 0
    deleted: int = 0
    deleted_keys: tuple[str, ...] = ()


class Checked(Stored):
    """The verdict on a landing, written before any table is: its rejects (`rejected_folder`, if any) are final for this attempt."""

    attempt: str
    tables: dict[str, CheckedTable]
    rejected_folder: str | None


class WrittenTable(Stored):
    """One tagged Delta commit. `accepted = written + unchanged + superseded`; `rows` is the whole table's count after it.

    `touched` counts the table's rows that carry the batch afterwards: `written`, and rows that the batch closed or marked as deleted.
    `removed` rows are in the table no more.
    """

    version: int
    rows: int
    written: int
    unchanged: int
    superseded: int
    touched: int
    removed: int = 0


class ExportedTable(Stored):
    """The rows with this batch's number at the commit's version, as Parquet for the warehouse, and the keys of rows that went."""

    contract: Table
    files: tuple[str, ...]
    rows: int
    deleted_files: tuple[str, ...] = ()
    deleted: int = 0


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
    next_bounds: dict[str, Bound] = {}
    objects: LandedObjects | None = None
    finished_at: datetime


class Looked(Stored):
    """A memo for people: when a run last found nothing more to do. Overwritten by every run; nothing decides by it."""

    at: datetime
    run_id: str


class Published(Stored):
    """A memo for people: when the warehouse got the batch."""

    load_id: str
    published_at: datetime
    rows: dict[str, int]
