"""What is read together: the typed, frozen models of `feeds` in a pipeline's file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from jobs.config.frozen import Frozen

_LATE = "How many days before the newest dated folder that was taken a look lists again."
_ZONE = "Of times without an offset, and of the dates in the path."


class CsvFeed(Frozen):
    """Dated folders of CSV files: one file per table, ready when every declared file is there."""

    type: Literal["csv"]
    path: str = Field(
        description="Below raw/<pipeline>/; holds {YYYY}, {MM}, {DD} in its folders and {table} once each."
    )
    late_by_days: StrictInt = Field(default=7, ge=0, description=_LATE)
    expect_within_minutes: StrictInt | None = Field(
        default=None,
        ge=0,
        description="From the midnight in the path; a folder incomplete after it ends the run with 2.",
    )
    timezone: str = Field(default="UTC", description=_ZONE)


class EventsFeed(Frozen):
    """Dated folders of JSON event objects of any name: many types of events in one object, each for one table at most."""

    type: Literal["events"]
    path: str = Field(description="A folder below raw/<pipeline>/ with {YYYY}, {MM}, {DD} and, if need be, {HH}.")
    late_by_days: StrictInt = Field(default=3, ge=0, description=_LATE)
    on_unmatched: Literal["quarantine", "ignore", "refuse"] = Field(
        default="quarantine",
        description="What becomes of a record that no table's `match` fits. ignore: counted by kind, kept nowhere.",
    )
    timezone: str = Field(default="UTC", description=_ZONE)


class PostgresFeed(Frozen):
    """Tables of one database, read together under one exported snapshot. The connection is named after the pipeline."""

    type: Literal["postgres"]
    timezone: str = Field(default="UTC", description="Of times without an offset.")
    wait_for_open_transactions_seconds: StrictInt = Field(
        default=30,
        ge=0,
        description="By id only. Then the reading holds back to the last bound below which all have ended.",
    )


Feed = Annotated[CsvFeed | EventsFeed | PostgresFeed, Field(discriminator="type")]
