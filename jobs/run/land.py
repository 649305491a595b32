"""Land: everything the plan names, read in Spark tasks into typed Parquet, with a manifest written last."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jobs.batches import (
    Bound,
    Contract,
    IdRange,
    LandedFile,
    LandedObjects,
    LandedTable,
    Manifest,
    Plan,
    SourceObject,
)
from jobs.config.feed import CsvFeed, EventsFeed, PostgresFeed
from jobs.config.table import Deletes, Table
from jobs.contracts.contract import contract_digest, key_contract, source_fields
from jobs.errors import BalanceError, BatchRefusedError, TidemarkError, UsageError
from jobs.run.context import RunContext
from jobs.run.landing_task import land_share
from jobs.run.replay import replay_shares
from jobs.run.shares import ComputedShare, CsvShare, EventsShare, LandedShare, PostgresShare, Share
from jobs.run.transform import affected_keys, transformed
from jobs.runtime.parquet import parquet_files
from jobs.runtime.storage import Lake
from jobs.sources.postgres_horizon import next_bounds
from jobs.sources.postgres_session import Snapshot, exported_snapshot, source_session
from jobs.sources.postgres_slices import Slice, id_slices, key_slices, row_slices

_BYTES_PER_TASK = 64 << 20


def landing_folder(plan: Plan) -> str:
    return f"landing/{plan.pipeline}/{plan.feed}/date={plan.as_of:%Y-%m-%d}/batch={plan.number}"


def attempt_folder(plan: Plan, attempt: str) -> str:
    return f"{landing_folder(plan)}/attempt={attempt}"


def changes_folder(plan: Plan, attempt: str, table: str) -> str:
    """Where the changes that a batch makes to a table are stored before they are committed."""
    return f"{attempt_folder(plan, attempt)}/_changes/{table}"


def read_manifest(lake: Lake, plan: Plan, attempt: str) -> Manifest | None:
    content = lake.read(f"{attempt_folder(plan, attempt)}/manifest.json")
    return Manifest.model_validate_json(content) if content else None


def newest_manifest(lake: Lake, plan: Plan, digest: str) -> Manifest | None:
    """The last whole landing of the batch under this contract; attempts sort by time."""
    attempts = {
        stored.key.split("/attempt=")[1].split("/")[0]
        for stored in lake.objects(landing_folder(plan))
        if "/attempt=" in stored.key
    }
    for attempt in sorted(attempts, reverse=True):
        manifest = read_manifest(lake, plan, attempt)
        if manifest and manifest.contract_digest == digest:
            return manifest
    return None


def land(context: RunContext, plan: Plan, contract: Contract) -> Manifest:
    """A new attempt at the batch's landing. Raises BatchRefusedError when the batch must be refused as a whole."""
    attempt = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    place = attempt_folder(plan, attempt)
    landed = _landed(context, plan, contract, place)
    manifest = Manifest(
        attempt=attempt,
        contract=contract,
        contract_digest=contract_digest(contract),
        tables={
            name: _sum(name, [s.tables[name].table for s in landed.shares if name in s.tables]) for name in contract
        },
        rejected_files=tuple(file for share in landed.shares for file in _rejected_files(share)),
        objects=_objects(landed.shares),
        keys=landed.keys | _keys(landed.shares),
        snapshot=landed.snapshot.name if landed.snapshot else None,
        snapshot_at=landed.snapshot.taken_at if landed.snapshot else None,
        next_bounds=landed.next_bounds if plan.purpose in ("new", "full") else {},
    )
    context.lake.create(f"{place}/manifest.json", manifest.to_json())
    return manifest


@dataclass(frozen=True)
class _Landed:
    """What the tasks landed; the rest only where the source has it."""

    shares: list[LandedShare]
    snapshot: Snapshot | None = None
    next_bounds: dict[str, Bound] = field(default_factory=dict)
    keys: dict[str, tuple[LandedFile, ...]] = field(default_factory=dict)


def _landed(context: RunContext, plan: Plan, contract: Contract, place: str) -> _Landed:
    feed = context.pipeline.feeds.get(plan.feed)
    root = context.lake.root
    if plan.replays:
        return _Landed(run_shares(context, replay_shares(context, plan, contract, place)))
    match feed:
        case None:
            return _computed(context, plan, contract, place)
        case CsvFeed():
            objects = [(str(each.table), each) for each in plan.objects]
            return _Landed(
                run_shares(
                    context,
                    [CsvShare(place, i, root, name, contract[name], feed, it) for i, (name, it) in enumerate(objects)],
                )
            )
        case EventsFeed():
            packs = enumerate(_packed(plan.objects))
            return _Landed(
                run_shares(context, [EventsShare(place, i, root, contract, feed, pack) for i, pack in packs])
            )
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


def _computed(context: RunContext, plan: Plan, contract: Contract, place: str) -> _Landed:
    """The transform's result, written by Spark, then judged by the contract like any other rows."""
    ((name, table),) = contract.items()
    keys, rows = f"{place}/_keys/{name}", f"{place}/_transformed/{name}"
    affected_keys(context, plan, table).coalesce(1).write.parquet(context.lake.uri(keys))
    affected = context.spark().read.parquet(context.lake.uri(keys))
    transformed(context, plan, table, affected).write.parquet(context.lake.uri(rows))
    files = parquet_files(context.lake, rows)
    shares = [ComputedShare(place, i, context.lake.root, name, table, file.path) for i, file in enumerate(files)]
    return _Landed(run_shares(context, shares), keys={name: tuple(parquet_files(context.lake, keys))})


def _under_one_snapshot(context: RunContext, plan: Plan, contract: Contract, feed: PostgresFeed, place: str) -> _Landed:
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
            return _Landed(run_shares(context, shares), snapshot, bounds)


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


def _rejected_files(share: LandedShare) -> tuple[LandedFile, ...]:
    return (*share.rejected_files, *(file for table in share.tables.values() for file in table.rejected_files))


def _keys(shares: list[LandedShare]) -> dict[str, tuple[LandedFile, ...]]:
    """Keys that the contract refuses are in no curated table either: only the accepted ones count."""
    found: dict[str, tuple[LandedFile, ...]] = {}
    for share in shares:
        for name, keys in share.keys.items():
            found[name] = (*found.get(name, ()), *keys.table.files)
    return found


def _objects(shares: list[LandedShare]) -> LandedObjects | None:
    """The balance of an events feed: every record of every object went to a table, to the quarantine, or was ignored and counted."""
    found = [(share, share.objects) for share in shares if share.objects]
    if not found:
        return None
    ignored = sum((Counter(objects.ignored) for _, objects in found), Counter[str]())
    total = LandedObjects(
        records=sum(objects.records for _, objects in found),
        rejected=sum(objects.rejected for _, objects in found),
        ignored=dict(sorted(ignored.items())),
    )
    routed = sum(table.table.records for share, _ in found for table in share.tables.values())
    if total.records != routed + total.rejected + sum(total.ignored.values()):
        raise BalanceError(
            f"Landing events: expected {total.records} records (as counted before routing), got {routed} in tables + {total.rejected} "
            f"rejected + {sum(total.ignored.values())} ignored. Nothing was written: keep the source and report this."
        )
    return total


def _sum(name: str, tables: list[LandedTable]) -> LandedTable:
    table = LandedTable(
        files=tuple(file for each in tables for file in each.files),
        records=sum(each.records for each in tables),
        landed=sum(each.landed for each in tables),
        rejected=sum(each.rejected for each in tables),
        filtered=sum(each.filtered for each in tables),
        warned=sum(each.warned for each in tables),
    )
    if table.records != table.landed + table.rejected + table.filtered:
        raise BalanceError(
            f"Landing {name}: expected {table.records} records (as counted before parsing), got {table.landed} landed + "
            f"{table.rejected} rejected + {table.filtered} filtered. Nothing was written: keep the source and report this."
        )
    return table


def require_same_tables(plan: Plan, contract: Contract) -> None:
    """Raises UsageError if the feed's tables are no longer those of the plan (a batch was open while conf/ changed)."""
    planned = {each.table for each in plan.objects if each.table} | set(plan.windows)
    is_whole = bool(plan.windows)
    if (is_whole and planned != set(contract)) or not planned <= set(contract):
        raise UsageError(
            f"Resuming batch {plan.number} of {plan.pipeline}/{plan.feed}: expected the tables of its plan "
            f"({', '.join(sorted(planned))}), got {', '.join(sorted(contract))}. "
            f"Undo the change of conf/, or run `tidemark abandon {plan.pipeline} {plan.feed}`."
        )
