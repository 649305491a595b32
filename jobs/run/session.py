"""Opens what a command needs and closes it again: the lake, the embedded Postgres, Spark. Each is started at its first use."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from jobs.config.environment import InProcess
from jobs.config.project import Project
from jobs.config.settings import Settings, load_settings
from jobs.errors import UsageError
from jobs.run.context import RunContext
from jobs.runtime.embedded_postgres import EmbeddedPostgres, running_postgres
from jobs.runtime.progress import Progress
from jobs.runtime.storage import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Session:
    """One command's resources."""

    def __init__(self, project: Project, settings: Settings, progress: Progress, stack: ExitStack) -> None:
        self.project, self.settings, self.progress = project, settings, progress
        self.lake = Lake(settings.lake_url)
        self._server: Callable[[], EmbeddedPostgres] = cache(
            lambda: stack.enter_context(running_postgres(settings.home))
        )
        self.spark: Callable[[], SparkSession] = cache(lambda: self._start_spark(stack))

    def warehouse_url(self) -> str:
        given = self.settings.warehouse_url
        return given.get_secret_value() if given else self._server().url("warehouse")

    def source_url(self, pipeline: str) -> str:
        """The connection of the pipeline's name; locally a database of its own in the embedded Postgres."""
        given = self.settings.connection_url(pipeline)
        return given.get_secret_value() if given else self._server().url(f"source_{pipeline}")

    def context(
        self,
        pipeline: str,
        *,
        as_of: datetime | None = None,
        run_id: str | None = None,
        command: str = "tidemark",
        max_batches: int | None = None,
        accept_shrink: bool = False,
        list_all: bool = False,
        full: bool = False,
    ) -> RunContext:
        """What one run of `pipeline` is given. Raises UsageError for an unknown one."""
        now = datetime.now(UTC)
        return RunContext(
            pipeline=self.project.pipeline(pipeline),
            lake=self.lake,
            run_id=run_id or f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
            as_of=as_of or now,
            progress=self.progress,
            source_url=lambda: self.source_url(pipeline),
            warehouse_url=self.warehouse_url,
            spark=self.spark,
            max_batches=max_batches,
            accept_shrink=accept_shrink,
            list_all=list_all,
            full=full,
            command=command,
        )

    def _start_spark(self, stack: ExitStack) -> SparkSession:
        from jobs.runtime.spark_session import start_spark  # pyspark only where Spark is needed

        compute = self.project.environment.compute
        if not isinstance(compute, InProcess):
            name = self.project.environment.environment
            raise UsageError(
                f"Running in {name}: expected an environment whose Spark is in this process, got one of EMR. "
                f"Submit the run instead: tidemark submit PIPELINE --env {name}"
            )
        self.progress.say("starting Spark")
        spark = start_spark("tidemark", compute.cores, compute.memory_gb, self.settings.home / "spark")
        stack.callback(spark.stop)
        return spark


@contextmanager
def open_session(project: Project, progress: Progress) -> Iterator[Session]:
    """The resources of one command, given back at its end."""
    with ExitStack() as stack:
        yield Session(project, load_settings(project), progress, stack)
