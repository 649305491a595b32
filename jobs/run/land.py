"""Land: everything the plan names, read in Spark tasks into typed Parquet, with a manifest written last."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from jobs.batches import Contract, LandedFile, LandedTable, Manifest, Plan
from jobs.config.pipeline import CsvFeed, PostgresFeed
from jobs.contracts.contract import contract_digest, source_fields
from jobs.errors import BalanceError, BatchRefusedError, TidemarkError, UsageError
from jobs.run.context import RunContext
from jobs.run.landing_task import CsvShare, LandedShare, PostgresShare, Share, land_share
from jobs.runtime.storage import Lake
from jobs.sources.postgres_rows import slices
from jobs.sources.postgres_session import exported_snapshot, source_session


def landing_folder(plan: Plan) -> str:
    return f"landing/{plan.pipeline}/{plan.feed}/date={plan.as_of:%Y-%m-%d}/batch={plan.number}"


def attempt_folder(plan: Plan, attempt: str) -> str:
    return f"{landing_folder(plan)}/attempt={attempt}"


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
    feed = context.pipeline.feeds[plan.feed]
    snapshot: str | None = None
    bounds: dict[str, int] = {}
    if isinstance(feed, CsvFeed):
        objects = plan.objects.items()
        landed = _run(
            context, [CsvShare(name, contract[name], place, 0, context.lake.root, feed, it) for name, it in objects]
        )
    else:
        landed, snapshot, bounds = _land_under_one_snapshot(context, plan, contract, feed, place)
    manifest = Manifest(
        attempt=attempt,
        contract=contract,
        contract_digest=contract_digest(contract),
        tables={name: _sum(name, [each for each in landed if each.name == name]) for name in contract},
        rejected_files=tuple(file for each in landed for file in each.rejected_files),
        snapshot=snapshot,
        next_bounds=bounds,
    )
    context.lake.create(f"{place}/manifest.json", manifest.to_json())
    return manifest


def _land_under_one_snapshot(
    context: RunContext, plan: Plan, contract: Contract, feed: PostgresFeed, place: str
) -> tuple[list[LandedShare], str, dict[str, int]]:
    """All tables of the feed, every reader in the same exported snapshot, which lives as long as this attempt."""
    url = context.source_url()
    with source_session(url, context.name) as session, exported_snapshot(session) as snapshot:
        shares: list[PostgresShare] = []
        bounds: dict[str, int] = {}
        for name, table in contract.items():
            found, bounds[name] = slices(session, name, table, plan.ranges[name], source_fields(table), feed.timezone)
            shares += [
                PostgresShare(
                    name, table, place, number, context.lake.root, feed.timezone, context.name, url, snapshot, ids
                )
                for number, ids in enumerate(found)
            ]
        return _run(context, shares), snapshot, bounds


def _run(context: RunContext, shares: Sequence[Share]) -> list[LandedShare]:
    """One Spark task per share. The first error of a task is raised here; refusals of rows are gathered first."""
    if not shares:
        return []
    results = context.spark().sparkContext.parallelize(shares, len(shares)).map(land_share).collect()
    errors = [each for each in results if isinstance(each, TidemarkError)]
    for error in sorted(errors, key=lambda each: isinstance(each, BatchRefusedError)):
        raise error
    landed = [each for each in results if isinstance(each, LandedShare)]
    refusals = [refusal for each in landed for refusal in each.refusals]
    if refusals:
        raise BatchRefusedError(
            f"Checking rows of {context.name}: expected none that a check with `on_failure: refuse` fails, got "
            f"{' | '.join(refusals[:5])}. Correct the source, or the check, then run the same command again."
        )
    return landed


def _sum(name: str, shares: list[LandedShare]) -> LandedTable:
    files: tuple[LandedFile, ...] = tuple(file for each in shares for file in each.files)
    table = LandedTable(
        files=files,
        records=sum(each.records for each in shares),
        landed=sum(each.landed for each in shares),
        rejected=sum(each.rejected for each in shares),
        filtered=sum(each.filtered for each in shares),
        warned=sum(each.warned for each in shares),
    )
    if table.records != table.landed + table.rejected + table.filtered:
        raise BalanceError(
            f"Landing {name}: expected {table.records} records (as counted before parsing), got {table.landed} landed + "
            f"{table.rejected} rejected + {table.filtered} filtered. Nothing was written: keep the source and report this."
        )
    return table


def require_same_tables(plan: Plan, contract: Contract) -> None:
    """Raises UsageError if the feed's tables are no longer those of the plan (a batch was open while conf/ changed)."""
    planned = set(plan.objects) or set(plan.ranges)
    if planned and planned != set(contract):
        raise UsageError(
            f"Resuming batch {plan.number} of {plan.pipeline}/{plan.feed}: expected the tables of its plan "
            f"({', '.join(sorted(planned))}), got {', '.join(sorted(contract))}. "
            f"Undo the change of conf/, or run `tidemark abandon {plan.pipeline} {plan.feed}`."
        )
