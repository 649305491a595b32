"""Load: publishes, in ascending order, every committed batch of a feed that the warehouse does not have (DESIGN.md, step 7).

Only the warehouse says what it has. Two loaders at once are safe: the loser of the lock finds the batch loaded and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import ValidationError

from jobs.batches import ExportedTable, ExportManifest, Outcome
from jobs.errors import LedgerConflictError, LoadRefusedError
from jobs.runtime.storage import Lake
from jobs.warehouse.statements import (
    BatchLoad,
    FailedGuard,
    StagedTable,
    identity_columns,
    load_transaction,
    published_columns,
)
from jobs.warehouse.warehouse import ExportedFiles, Staging, Warehouse


@dataclass(frozen=True)
class Loaded:
    """A batch that the warehouse has now. `adopted`: another loader was faster, id and rows are that one's."""

    number: int
    load_id: str
    rows: dict[str, int]
    adopted: bool


def publish_feed(
    warehouse: Warehouse, lake: Lake, pipeline: str, feed: str, committed: Mapping[int, Outcome]
) -> Iterator[Loaded]:
    """Loads what is missing, one batch at a time; what is yielded is committed in the warehouse.

    `committed` holds the committed batches of the feed; only those that are needed are read from it.

    Raises:
        LedgerConflictError: the warehouse was filled from another lake.
        LoadRefusedError: the warehouse's guards or types refuse a batch; it and the later ones stay out.
    """
    numbers = sorted(committed)
    while True:
        attempts = warehouse.published_attempts(pipeline, feed)
        _require_the_same_lake(pipeline, feed, attempts, committed)
        number = next((number for number in numbers if number not in attempts), None)
        if number is None:
            return
        earlier = numbers.index(number)
        yield _load_batch(warehouse, lake, pipeline, feed, number, committed[number], earlier)


def _load_batch(
    warehouse: Warehouse, lake: Lake, pipeline: str, feed: str, number: int, outcome: Outcome, earlier: int
) -> Loaded:
    exported = {} if outcome.export is None else _exported_tables(lake, outcome.export)
    warehouse.prepare(pipeline, {name: table.contract for name, table in exported.items()})
    with warehouse.staging(pipeline, feed, number, exported) as staging:
        _fill(warehouse, lake, pipeline, staging, (outcome.export or "").rpartition("/")[0], exported)
        staged = tuple(
            StagedTable(name, staging.names[name], table.contract, table.rows, staging.deleted.get(name), table.deleted)
            for name, table in exported.items()
        )
        load = BatchLoad(pipeline, feed, number, outcome.attempt or "", staging.load_id, earlier, staged)
        failed = warehouse.commit(pipeline, load_transaction(load, datetime.now(UTC), warehouse.dialect))
    if failed is None:
        return Loaded(number, load.load_id, load.rows, adopted=False)
    if failed.kind == "loaded":
        return Loaded(number, *warehouse.published_load(pipeline, feed, number), adopted=True)
    raise _refusal(load, failed)


def _fill(
    warehouse: Warehouse,
    lake: Lake,
    pipeline: str,
    staging: Staging,
    folder: str,
    exported: Mapping[str, ExportedTable],
) -> None:
    for name, table in exported.items():
        contract = table.contract
        rows = ExportedFiles(lake, folder, f"{pipeline}.{name}", contract, table.files, published_columns(contract))
        warehouse.copy(pipeline, staging.names[name], rows)
        if name in staging.deleted:
            gone = replace(rows, paths=table.deleted_files, columns=identity_columns(contract))
            warehouse.copy(pipeline, staging.deleted[name], gone)


def _exported_tables(lake: Lake, path: str) -> dict[str, ExportedTable]:
    content = lake.read(path)
    if content is None:
        raise LoadRefusedError(
            f"Loading {path}: expected the export's manifest to be there, got none. "
            "Restore it from an older version or a backup, then run the pipeline again."
        )
    try:
        manifest = ExportManifest.model_validate_json(content)
    except ValidationError as error:
        raise LoadRefusedError(
            f"Loading {path}: expected the manifest of an export, got {error.error_count()} problems, the first being "
            f"{error.errors()[0]['msg']!r}. Run the version of Tidemark that wrote it."
        ) from error
    return {name: table for name, table in manifest.tables.items() if table.contract.publish is not False}


def _require_the_same_lake(
    pipeline: str, feed: str, attempts: Mapping[int, str], committed: Mapping[int, Outcome]
) -> None:
    """Batch numbers start again in a new lake: without this check its first batches would pass for loaded."""
    newest = max((number for number in attempts if number in committed), default=None)
    if newest is not None and (committed[newest].attempt or "") != attempts[newest]:
        raise LedgerConflictError(
            f"Loading {pipeline}.{feed}: expected the warehouse to hold the batches of this lake, got another lake's "
            f"batch {newest}. Use the lake that filled it, or drop the schema {pipeline!r} in the warehouse and "
            "run the pipeline again to load everything."
        )


def _refusal(load: BatchLoad, failed: FailedGuard) -> LoadRefusedError:
    doing = f"Loading batch {load.number} of {load.pipeline}.{load.feed}"
    if failed.kind == "order":
        return LoadRefusedError(
            f"{doing}: expected {failed.expected} earlier batches in the warehouse, got {failed.got}. "
            f"Compare `tidemark status {load.pipeline}` with {load.pipeline}.tidemark_loads; if the warehouse was restored "
            "or changed by hand meanwhile, run the pipeline again."
        )
    if failed.kind == "doubled":
        return LoadRefusedError(
            f"{doing}: expected each key of {failed.table!r} once, got {failed.got} keys more than once. "
            "Look for them in the exported files below export/ and correct the contract's key; nothing was changed."
        )
    what = "rows" if failed.kind == "rows" else "deleted keys"
    return LoadRefusedError(
        f"{doing}: expected {failed.expected} {what} in staging for {failed.table!r} as the export's manifest says, "
        f"got {failed.got}. Restore the exported files below export/, then run the pipeline again; nothing was changed."
    )
