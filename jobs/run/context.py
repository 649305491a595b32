"""What every stage of one run is given: the pipeline, the lake, the connections, and how far the run may go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from jobs.config.pipeline import Pipeline
from jobs.runtime.progress import Progress
from jobs.runtime.storage import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class RunContext:
    """One run of one pipeline. `as_of` is its time (UTC): nothing in a batch comes from a clock.

    `spark`, `source_url` and `warehouse_url` start what they need at the first call. `max_batches` per feed; None: all. `full`: the first batch
    of each feed reads everything.
    """

    pipeline: Pipeline
    lake: Lake
    run_id: str
    as_of: datetime
    progress: Progress
    source_url: Callable[[], str]
    warehouse_url: Callable[[], str]
    spark: Callable[[], SparkSession]
    max_batches: int | None = None
    accept_shrink: bool = False
    list_all: bool = False
    full: bool = False
    command: str = "tidemark"

    @property
    def name(self) -> str:
        return self.pipeline.pipeline
