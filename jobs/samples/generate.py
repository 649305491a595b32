"""Sample data for the pipelines that have some: what the command line calls."""

from __future__ import annotations

from collections.abc import Callable

from jobs.errors import UsageError
from jobs.runtime.storage import Lake
from jobs.samples import coupbot, fflogs, shop, social, stackoverflow
from jobs.samples.report import SampleReport

PIPELINES = ("coupbot", "shop", "fflogs", "social", "stackoverflow")


def make_sample(pipeline: str, day: int, rows: int, lake: Lake, source_url: Callable[[], str]) -> SampleReport:
    """Delivers `day` (from 1 = 2024-03-01) of `pipeline`'s source, as that source would: into the lake or its database.

    Deterministic (but for the shop's `updated_at`, which is the database's clock from day 2 on), and idempotent: what is there already is left as it is. `rows` is the size of the biggest table.
    `source_url` is asked only by a pipeline that reads a database.

    Raises:
        UsageError: no sample for this pipeline, or a day or a number of rows below 1.
    """
    if day < 1 or rows < 1:
        raise UsageError(
            f"Making a sample of {pipeline}: expected a day and rows of at least 1, got day {day} and {rows} rows. "
            "Day 1 is 2024-03-01."
        )
    match pipeline:
        case "coupbot":
            return coupbot.write_night(lake, day, rows)
        case "shop":
            return shop.write_day(source_url(), rows, day)
        case "fflogs":
            return fflogs.write_day(lake, source_url(), rows, day)
        case "social":
            return social.write_day(lake, rows, day)
        case "stackoverflow":
            return stackoverflow.write_day(source_url(), rows, day)
    raise UsageError(
        f"Making a sample of {pipeline!r}: expected a pipeline that has one, one of {', '.join(PIPELINES)}, got another. "
        "Name one of these."
    )
