"""Land: everything the plan names, read in Spark tasks into typed Parquet, with a manifest written last."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime

from jobs.batches import Contract, LandedFile, LandedObjects, LandedTable, Manifest, Plan
from jobs.contracts.contract import contract_digest
from jobs.errors import BalanceError, UsageError
from jobs.run.context import RunContext
from jobs.run.places import attempt_folder, landing_folder
from jobs.run.shares import LandedShare
from jobs.run.tasks import landed
from jobs.runtime.storage import Lake


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
    found = landed(context, plan, contract, place)
    manifest = Manifest(
        attempt=attempt,
        contract=contract,
        contract_digest=contract_digest(contract),
        tables={
            name: _sum(name, [s.tables[name].table for s in found.shares if name in s.tables]) for name in contract
        },
        rejected_files=tuple(file for share in found.shares for file in _rejected_files(share)),
        objects=_objects(found.shares),
        keys=found.keys | _keys(found.shares),
        snapshot=found.snapshot.name if found.snapshot else None,
        snapshot_at=found.snapshot.taken_at if found.snapshot else None,
        next_bounds=found.next_bounds if plan.purpose in ("new", "full") else {},
    )
    context.lake.create(f"{place}/manifest.json", manifest.to_json())
    return manifest


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
