"""What the tasks of a landing are given, and what each of them hands back. Plain data: it travels between processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.batches import Contract, LandedFile, LandedObjects, SourceObject
from jobs.config.feed import CsvFeed, EventsFeed, Feed
from jobs.config.table import Table
from jobs.run.landing_files import TableLanding
from jobs.run.rejected import Rejected
from jobs.sources.postgres_slices import Slice


@dataclass(frozen=True)
class Share:
    """What one task reads. `place` is the landing's folder, `number` tells the tasks of a landing apart."""

    place: str
    number: int
    lake_url: str


@dataclass(frozen=True)
class CsvShare(Share):
    """One object of a CSV feed: rows of the table `name`."""

    name: str
    table: Table
    feed: CsvFeed
    source: SourceObject


@dataclass(frozen=True)
class EventsShare(Share):
    """Some objects of an events feed, each read once for all its tables."""

    contract: Contract
    feed: EventsFeed
    sources: tuple[SourceObject, ...]


@dataclass(frozen=True)
class PostgresShare(Share):
    """One slice of a Postgres table, read under the batch's snapshot. `is_keys`: of the key columns only, for reconciling."""

    name: str
    table: Table
    timezone: str
    pipeline: str
    url: str = field(repr=False)
    snapshot: str
    rows: Slice
    is_keys: bool = False


@dataclass(frozen=True)
class ComputedShare(Share):
    """One Parquet file of what a transform returned for the derived table `name`."""

    name: str
    table: Table
    source: str


@dataclass(frozen=True)
class ReplayShare(Share):
    """Some rejected records, to be judged again by today's contract."""

    contract: Contract
    feed: Feed
    records: tuple[Rejected, ...]


@dataclass(frozen=True)
class LandedShare:
    """What a task landed. `keys`: of `tables`, but key columns only; `refusals`: why the whole batch must be refused."""

    tables: dict[str, TableLanding] = field(default_factory=dict)
    keys: dict[str, TableLanding] = field(default_factory=dict)
    rejected_files: tuple[LandedFile, ...] = ()
    objects: LandedObjects | None = None
    refusals: tuple[str, ...] = ()
