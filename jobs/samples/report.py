"""What a sample generator says it delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

FIRST_DAY = date(2024, 3, 1)
BAD_FROM_ROWS = 100
"""Samples of at least so many rows hold one record of each bad kind; smaller ones hold good records only."""


@dataclass(frozen=True)
class SampleTable:
    """One delivery: `where` is a key of the lake, a folder with its number of objects, or a table of the source. `rows` counts `bad` ones too.

    `is_new` is False if the same delivery was there already; nothing was written, `rows` is what would have been.
    """

    name: str
    where: str
    rows: int
    bad: int
    is_new: bool


@dataclass(frozen=True)
class SampleReport:
    """All that one call delivered; several days where the days before were missing."""

    pipeline: str
    day: int
    tables: tuple[SampleTable, ...]


def date_of(day: int) -> date:
    """Day 1 is 2024-03-01."""
    return FIRST_DAY + timedelta(days=day - 1)
