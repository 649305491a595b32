"""Plans and outcomes of a feed, as the tests of the ledger need them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from jobs.batches import BackfillPart, Outcome, Plan, RecordId, SourceObject, WrittenTable

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
RECORD = RecordId(batch=1, table="users", object="raw/a.csv", record=7)
PARTS = [BackfillPart(name=name, number=number, of=2) for name in ("may", "june") for number in (1, 2)]


def plan(number: int, **changes: Any) -> Plan:
    """Batch `number` of shop/snapshot, which reads the file of its own day."""
    day = FIRST_DAY + timedelta(days=number)
    read = (source(f"raw/shop/{day:%Y-%m-%d}/users.csv", f"etag-{number}"),)
    given: dict[str, Any] = {"run_id": f"run-{number}", "reason": "new folder", "as_of": day, "objects": read} | changes
    return Plan(pipeline="shop", feed="snapshot", number=number, **given)


def source(key: str, etag: str) -> SourceObject:
    return SourceObject(key=key, size=1, etag=etag)


def outcome(status: Literal["committed", "void"] = "committed", **changes: Any) -> Outcome:
    return Outcome(status=status, reason="", finished_at=changes.pop("finished_at", FIRST_DAY), **changes)


def written(rows: int, **changes: int) -> WrittenTable:
    """One commit that wrote `rows` rows into an empty table."""
    counts = {"version": 1, "rows": rows, "written": rows, "unchanged": 0, "superseded": 0, "touched": rows} | changes
    return WrittenTable(**counts)
