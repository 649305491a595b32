"""What every stage of one run is given: the pipeline, the lake, the connections, and how far the run may go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jobs.config.pipeline import Pipeline
from jobs.ledger.lease import LATE_REQUEST_SECONDS
from jobs.runtime.progress import Progress
from jobs.runtime.storage import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Catalog:
    """The pipeline's database in Glue; `glue` makes the client."""

    database: str
    glue: Callable[[], Any]


@dataclass(frozen=True)
class RunContext:
    """One run of one pipeline. `as_of` is its time (UTC): nothing in a batch comes from a clock.

    `spark`, `source_url` and `warehouse` start what they need at the first call. `max_batches` per feed; None: all. `full`: the first batch
    of each feed reads everything. `publishes`: the run loads what is committed.
    """

    pipeline: Pipeline
    lake: Lake
    run_id: str
    as_of: datetime
    progress: Progress
    source_url: Callable[[], str]
    warehouse: Callable[[], AbstractContextManager[Warehouse]]
    spark: Callable[[], SparkSession]
    max_batches: int | None = None
    accept_shrink: bool = False
    list_all: bool = False
    full: bool = False
    command: str = "tidemark"
    publishes: bool = True
    catalog: Catalog | None = None
    late_request_seconds: float = LATE_REQUEST_SECONDS

    @property
    def name(self) -> str:
        return self.pipeline.pipeline
