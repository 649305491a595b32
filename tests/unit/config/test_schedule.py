"""When a schedule is due, against a walk over the minutes that shares no code with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from itertools import pairwise

import pytest

from jobs.config.schedule import last_due, overdue_since
from jobs.config.text_rules import cron_fault

MINUTE = timedelta(minutes=1)
NAMES = {"oct": 10, "nov": 11, "sun": 0, "mon": 1, "wed": 3, "fri": 5, "sat": 6}
SCHEDULES = ["* * * * *", "*/15 * * * *", "0 2 * * *", "7-59/13 1,5 * * *", "0 0 * * 7", "30 6 * * SUN", "0 0 * * 5-7"]
SCHEDULES += [
    "0 12 1,15 * mon-5",
    "0 0 31,13 * *",
    "0 0 * oct-Nov wed",
    "59 23 */7 11 *",
    "5/20 0-4/2 * * sat",
    "0 3 20 * 0",
]
NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)  # a Saturday


@cache
def walked(schedule: str, start: datetime, end: datetime) -> list[datetime]:
    """Every due minute of ]start, end], by asking each minute whether every field lets it pass."""
    texts = schedule.lower().split()
    bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
    fields = [values(text, low, high) for text, (low, high) in zip(texts, bounds, strict=True)]
    either = texts[2] != "*" and texts[4] != "*"
    found, minute = [], start.replace(second=0, microsecond=0)
    while (minute := minute + MINUTE) <= end:
        on_day, on_weekday = minute.day in fields[2], bool({minute.weekday() + 1, minute.isoweekday() % 7} & fields[4])
        is_day = on_day or on_weekday if either else on_day and on_weekday
        if minute.minute in fields[0] and minute.hour in fields[1] and minute.month in fields[3] and is_day:
            found.append(minute)
    return found


def values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        ends = [low, high] if span == "*" else [NAMES.get(end) or int(NAMES.get(end, end)) for end in span.split("-")]
        last = high if step and len(ends) == 1 else ends[-1]
        found |= set(range(ends[0], last + 1, int(step or 1)))
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_last_due_instant_is_the_last_minute_that_every_field_lets_pass(schedule: str) -> None:
    assert cron_fault(schedule) is None
    due = walked(schedule, NOW - timedelta(days=45), NOW)

    assert last_due(schedule, NOW) == due[-1]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_overdue_since_the_first_minute_after_the_last_run(schedule: str) -> None:
    due = walked(schedule, NOW - timedelta(days=45), NOW)[-4:]
    middles = [(earlier + (later - earlier) / 2, later) for earlier, later in pairwise(due)]

    assert middles
    assert [overdue_since(schedule, seen, NOW) for seen, _ in middles] == [later for _, later in middles]
    assert overdue_since(schedule, due[-1], NOW) is None


def test_a_run_at_the_due_instant_serves_it() -> None:
    due = datetime(2026, 11, 21, 2, tzinfo=UTC)

    assert last_due("0 2 * * *", due) == due
    assert overdue_since("0 2 * * *", due, due) is None
    assert overdue_since("0 2 * * *", due - timedelta(microseconds=1), due) == due
    assert overdue_since("0 2 * * *", due - timedelta(seconds=1), due - timedelta(microseconds=1)) is None


def test_what_never_ran_is_overdue_since_the_last_due_instant() -> None:
    assert overdue_since("0 2 * * *", None, NOW) == datetime(2026, 11, 21, 2, tzinfo=UTC)


def test_leap_days_are_found_years_away() -> None:
    assert last_due("0 0 29 2 *", NOW) == datetime(2024, 2, 29, tzinfo=UTC)


def test_a_schedule_that_is_never_due_misses_nothing() -> None:
    assert last_due("0 0 30 2 *", NOW) is None
    assert overdue_since("0 0 30 2 *", NOW - timedelta(days=900), NOW) is None
    assert overdue_since("0 0 30 2 *", None, NOW) is None


def test_a_schedule_is_in_utc_wherever_now_was_taken() -> None:
    in_india = datetime(2026, 11, 21, 6, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    assert last_due("0 0 * * *", in_india) == datetime(2026, 11, 21, tzinfo=UTC)
    assert overdue_since("0 0 * * *", in_india - timedelta(hours=1), in_india) == datetime(2026, 11, 21, tzinfo=UTC)
