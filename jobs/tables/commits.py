"""What a Delta log says about batches, read without Spark: the last batch of a table, and the commit that names a batch.

Delta itself skips a tagged commit whose version is not above the last one, silently; so it is asked first. Log format: the Delta
protocol's `txn`, `commitInfo` and `_last_checkpoint`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from jobs.batches import Stored
from jobs.errors import LedgerConflictError
from jobs.runtime.storage import Lake


class CommitNote(Stored):
    """The user metadata of a tagged commit: which landing it came from, and under which contract."""

    batch: int
    attempt: str
    contract_digest: str


@dataclass(frozen=True)
class BatchCommit:
    """One tagged commit. `metrics` are Delta's operation metrics as integers; `added` the data files, relative to the table.

    A file that was there before, and is added again with a deletion vector, is not among them: the rows that it still has are older.
    """

    version: int
    note: CommitNote
    metrics: dict[str, int]
    added: tuple[str, ...]


def curated_path(pipeline: str, table: str) -> str:
    return f"curated/{pipeline}/{table}"


def quarantine_path(pipeline: str, feed: str) -> str:
    return f"quarantine/{pipeline}/{feed}"


def curated_app(pipeline: str, table: str) -> str:
    """The transaction app id of a curated table."""
    return f"tidemark/{pipeline}/{table}"


def quarantine_app(pipeline: str, feed: str) -> str:
    """The transaction app id of a feed's quarantine table; `//` keeps it apart from a curated table of that name."""
    return f"tidemark/{pipeline}//quarantine/{feed}"


def last_batch(lake: Lake, path: str, app: str) -> int:
    """The highest batch that a tagged commit of the table names; 0 if there is none or no table."""
    for _, actions in _commits_backwards(lake, path):
        for action in actions:
            if action.get("txn", {}).get("appId") == app:
                return int(action["txn"]["version"])
    return _last_batch_in_checkpoint(lake, path, app)


def batch_commit(lake: Lake, path: str, app: str, batch: int) -> BatchCommit | None:
    """The commit that names `batch`, or None; one whose JSON Delta's log cleanup has removed is not seen."""
    for version, actions in _commits_backwards(lake, path):
        tags = [int(action["txn"]["version"]) for action in actions if action.get("txn", {}).get("appId") == app]
        if not tags or tags[0] > batch:
            continue
        if tags[0] < batch:
            return None
        (info,) = [action["commitInfo"] for action in actions if "commitInfo" in action]
        note = CommitNote.model_validate_json(info.get("userMetadata") or "{}")
        metrics = {name: int(value) for name, value in info.get("operationMetrics", {}).items()}
        added = tuple(
            unquote(action["add"]["path"])  # the log holds them as URLs
            for action in actions
            if "add" in action and not action["add"].get("deletionVector")
        )
        return BatchCommit(version, note, metrics, added)
    return None


def is_undone(lake: Lake, path: str, app: str, batch: int) -> bool:
    """Whether the batch's commit is in the log, but not in the table: a RESTORE skipped it. (The tag survives a RESTORE.)"""
    visible_upto: int | None = None
    for version, actions in _commits_backwards(lake, path):
        is_visible = visible_upto is None or version <= visible_upto
        if any(
            action.get("txn", {}).get("appId") == app and int(action["txn"]["version"]) == batch for action in actions
        ):
            return not is_visible
        info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
        if is_visible and info.get("operation") == "RESTORE":
            visible_upto = _restored_to(info, path, version)
    return False


def _restored_to(info: dict[str, Any], path: str, version: int) -> int:
    target = str(info["operationParameters"].get("version")).strip('"')
    if not target.isdigit():
        raise LedgerConflictError(
            f"Reading version {version} of {path}: expected a RESTORE to a version, got one to a time, which does not say what "
            "it undid. Restore the table to a version number, then run the same command again."
        )
    return int(target)


def require_not_ahead(last: int, batch: int, path: str) -> None:
    """Raises LedgerConflictError if the table holds a later batch than the one to be written."""
    if last > batch:
        raise LedgerConflictError(
            f"Writing batch {batch} to {path}: expected its last batch to be below, got {last}. "
            "The ledger was restored from an older copy, or another lake's ledger is in use: restore the right one."
        )


def _commits_backwards(lake: Lake, path: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """(version, actions) of each JSON commit that is still there, newest first."""
    names = [stored.key for stored in lake.objects(f"{path}/_delta_log") if stored.key.endswith(".json")]
    for key in reversed([name for name in names if name.rsplit("/", 1)[-1][:-5].isdigit()]):
        content = lake.read(key) or b""
        yield int(key.rsplit("/", 1)[-1][:-5]), [json.loads(line) for line in content.splitlines() if line.strip()]


def data_files(lake: Lake, path: str) -> list[str]:
    """The data files of the table as it is now, relative to it; of one that has no deletion vectors, such as a quarantine."""
    removed: set[str] = set()
    found: list[str] = []
    for version, actions in _commits_backwards(lake, path):
        added = [action["add"]["path"] for action in actions if "add" in action]
        found += [each for each in added if each not in removed]
        removed |= {*added, *(action["remove"]["path"] for action in actions if "remove" in action)}
        if version == 0:
            return [unquote(each) for each in found]
    older = [row["path"] for row in _checkpoint_rows(lake, path, "add")]
    return [unquote(each) for each in (*found, *(each for each in older if each not in removed))]


def _last_batch_in_checkpoint(lake: Lake, path: str, app: str) -> int:
    """For a table whose newest JSON commits are all maintenance, or were cleaned up."""
    rows = _checkpoint_rows(lake, path, "txn")
    return max((int(row["version"]) for row in rows if row["appId"] == app), default=0)


def _checkpoint_rows(lake: Lake, path: str, action: str) -> list[dict[str, Any]]:
    """The actions of one kind in the last checkpoint; none where there is no checkpoint."""
    pointer = lake.read(f"{path}/_delta_log/_last_checkpoint")
    if pointer is None:
        return []
    version = json.loads(pointer)["version"]
    parts = [
        o.key
        for o in lake.objects(f"{path}/_delta_log")
        if f"{version:020d}.checkpoint" in o.key and o.key.endswith(".parquet")
    ]
    return [
        row[action]
        for part in parts
        for row in pq.read_table(BytesIO(lake.read(part) or b""), columns=[action]).to_pylist()
        if row[action]
    ]
