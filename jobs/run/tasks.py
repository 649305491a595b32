"""The tasks of a landing: what each kind of source is divided into, and their running in Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.batches import Bound, Contract, IdRange, LandedFile, Plan, SourceObject
from jobs.config.feed import CsvFeed, EventsFeed, PostgresFeed
from jobs.config.table import Deletes, Table
from jobs.contracts.contract import key_contract, source_fields
from jobs.errors import BatchRefusedError, TidemarkError
from jobs.run.context import RunContext
from jobs.run.landing_task import land_share
from jobs.run.replay import replay_shares
from jobs.run.shares import ComputedShare, CsvShare, EventsShare, LandedShare, PostgresShare, Share
from jobs.run.transform import affected_keys, transformed
from jobs.runtime.parquet import parquet_files
from jobs.sources.postgres_horizon import next_bounds
from jobs.sources.postgres_session import Snapshot, exported_snapshot, source_session
from jobs.sources.postgres_slices import Slice, id_slices, key_slices, row_slices

_BYTES_PER_TASK = 64 << 20


@dataclass(frozen=True)
class Landed:
    """What the tasks landed; the rest only where the source has it."""

    shares: list[LandedShare]
    snapshot: Snapshot | None = None
    next_bounds: dict[str, Bound] = field(default_factory=dict)
    keys: dict[str, tuple[LandedFile, ...]] = field(default_factory=dict)


def landed(context: RunContext, plan: Plan, contract: Contract, place: str) -> Landed:
    feed = context.pipeline.feeds.get(plan.feed)
    root = context.lake.root
    if plan.replays:
        return Landed(run_shares(context, replay_shares(context, plan, contract, place)))
    match feed:
        case None:
            return _computed(context, plan, contract, place)
        case CsvFeed():
            objects = [(str(each.table), each) for each in plan.objects]
            return Landed(
                run_shares(
                    context,
                    [CsvShare(place, i, root, name, contract[name], feed, it) for i, (name, it) in enumerate(objects)],
                )
            )
        case EventsFeed():
            packs = enumerate(_packed(plan.objects))
            return Landed(run_shares(context, [EventsShare(place, i, root, contract, feed, pack) for i, pack in packs]))
        case PostgresFeed():
            return _under_one_snapshot(context, plan, contract, feed, place)


def _packed(objects: tuple[SourceObject, ...]) -> list[tuple[SourceObject, ...]]:
    """Objects in groups of about a task's worth: a task and its files for each of thousands of small ones would cost more than reading."""
    packs: list[list[SourceObject]] = []
    size = _BYTES_PER_TASK
    for source in objects:
        if size >= _BYTES_PER_TASK:
            packs.append([])
            size = 0
        packs[-1].append(source)
        size += source.size
    return [tuple(pack) for pack in packs]


def _computed(context: RunContext, plan: Plan, contract: Contract, place: str) -> Landed:
    """The transform's result, written by Spark, then judged by the contract like any other rows."""
    ((name, table),) = contract.items()
    keys, rows = f"{place}/_keys/{name}", f"{place}/_transformed/{name}"
    affected_keys(context, plan, table).coalesce(1).write.parquet(context.lake.uri(keys))
    affected = context.spark().read.parquet(context.lake.uri(keys))
    transformed(context, plan, table, affected).write.parquet(context.lake.uri(rows))
    files = parquet_files(context.lake, rows)
    shares = [ComputedShare(place, i, context.lake.root, name, table, file.path) for i, file in enumerate(files)]
    return Landed(run_shares(context, shares), keys={name: tuple(parquet_files(context.lake, keys))})


def _under_one_snapshot(context: RunContext, plan: Plan, contract: Contract, feed: PostgresFeed, place: str) -> Landed:
    """All tables of the feed, every reader in the same exported snapshot, which lives as long as this attempt."""
    url, shares = context.source_url(), list[PostgresShare]()
    bounds: dict[str, Bound] = {}
    with source_session(url, context.name) as session:
        bounds |= next_bounds(session, contract)
        with exported_snapshot(session) as snapshot:
            for name, table in contract.items():
                window, fields = plan.windows[name], source_fields(table)
                if isinstance(window, IdRange):
                    found, bounds[name] = id_slices(session, name, table, window, fields, feed.timezone)
                else:
                    found = row_slices(session, name, table, window, fields, feed.timezone)
                shares += _shares(context, plan, feed, place, name, table, snapshot, found)
                if _is_reconciled(plan, table):
                    found = key_slices(session, name, table, fields, feed.timezone)
                    shares += _shares(
                        context, plan, feed, place, name, key_contract(table), snapshot, found, is_keys=True
                    )
            reconciled = [name for name, table in contract.items() if _is_reconciled(plan, table)]
            # Of an empty table there is no slice; that it has no key is known all the same.
            return Landed(run_shares(context, shares), snapshot, bounds, keys=dict.fromkeys(reconciled, ()))


def _shares(
    context: RunContext,
    plan: Plan,
    feed: PostgresFeed,
    place: str,
    name: str,
    table: Table,
    snapshot: Snapshot,
    found: Sequence[Slice],
    *,
    is_keys: bool = False,
) -> list[PostgresShare]:
    url, root = context.source_url(), context.lake.root
    return [
        PostgresShare(place, i, root, name, table, feed.timezone, plan.pipeline, url, snapshot.name, rows, is_keys)
        for i, rows in enumerate(found)
    ]


def _is_reconciled(plan: Plan, table: Table) -> bool:
    """Neither a replay nor a backfill looks for deletes."""
    return isinstance(table.load.deletes, Deletes) and plan.purpose in ("new", "full")


def run_shares(context: RunContext, shares: Sequence[Share]) -> list[LandedShare]:
    """One Spark task per share. The first error of a task is raised here; refusals of rows are gathered first."""
    if not shares:
        return []
    results = context.spark().sparkContext.parallelize(shares, len(shares)).map(land_share).collect()
    errors = [each for each in results if isinstance(each, TidemarkError)]
    for error in sorted(errors, key=lambda each: isinstance(each, BatchRefusedError)):
        raise error
    landed = [each for each in results if isinstance(each, LandedShare)]
    refusals = [refusal for each in landed for refusal in each.refusals]
    refusals += [refusal for each in landed for table in each.tables.values() for refusal in table.refusals]
    if refusals:
        raise BatchRefusedError(
            f"Checking rows of {context.name}: expected none that a check with `on_failure: refuse` fails, got "
            f"{' | '.join(refusals[:5])}. Correct the source, or the check, then run the same command again."
        )
    return landed
