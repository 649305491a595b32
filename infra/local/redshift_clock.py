"""The time by which the embedded Redshift lets results and client tokens expire: a module of its own, so that a test can move it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
