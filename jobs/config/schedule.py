"""When a pipeline's schedule is due, in UTC.

croniter is what Airflow starts DAGs by: both read a schedule alike, down to the day of month OR the day of week.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from croniter import CroniterBadDateError, croniter


def last_due(schedule: str, now: datetime) -> datetime | None:
    """The latest due instant up to and including `now`; None for a schedule that is never due (30 February)."""
    try:
        # get_prev stands strictly before its start.
        previous: datetime = croniter(schedule, now.astimezone(UTC) + timedelta(microseconds=1)).get_prev(datetime)
    except CroniterBadDateError:
        return None
    return previous


def overdue_since(schedule: str, seen: datetime | None, now: datetime) -> datetime | None:
    """The first due instant after `seen` and up to `now`; None while nothing is missed.

    Of what was never seen only the last due instant counts as missed: nobody knows since when it should have run.
    """
    last = last_due(schedule, now)
    if seen is None or last is None or last <= seen:
        return last if seen is None else None
    following: datetime = croniter(schedule, seen.astimezone(UTC)).get_next(datetime)
    return following
