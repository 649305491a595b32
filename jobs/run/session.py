"""Opens what a command needs and closes it again: the lake, the embedded Postgres, Spark. Each is started at its first use."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jobs.config.aws import RedshiftWarehouse
from jobs.config.environment import Environment, InProcess
from jobs.config.project import Project
from jobs.config.settings import Settings, load_settings
from jobs.errors import ConfigError, UsageError
from jobs.run.context import Catalog, RunContext
from jobs.runtime.progress import Progress
from jobs.runtime.storage import Lake

if TYPE_CHECKING:
    from pathlib import Path

    import boto3
    from pyspark.sql import SparkSession

    from jobs.runtime.embedded_postgres import EmbeddedPostgres
    from jobs.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Machine:
    """What differs between a person's machine and a step on a cluster.

    `identity`: who asks AWS. `publishes`: whether a run loads what it has committed; a step leaves that to whoever submitted it.
    """

    start_spark: Callable[[Session, ExitStack], SparkSession]
    identity: Callable[[Environment], boto3.Session]
    publishes: bool = True


def _own_spark(session: Session, stack: ExitStack) -> SparkSession:
    """In this process, until the command ends. Raises UsageError in an environment whose Spark is elsewhere."""
    from jobs.runtime.spark_session import start_spark  # pyspark only where Spark is needed

    compute = session.project.environment.compute
    if not isinstance(compute, InProcess):
        name = session.project.environment.environment
        raise UsageError(
            f"Running in {name}: expected an environment whose Spark is in this process, got one of EMR. "
            f"Submit the run instead: tidemark submit PIPELINE --env {name}"
        )
    session.progress.say("starting Spark")
    spark = start_spark("tidemark", compute.cores, compute.memory_gb, session.settings.home / "spark")
    stack.callback(spark.stop)
    return spark


def _own_postgres(home: Path, stack: ExitStack) -> EmbeddedPostgres:
    """Until the command ends."""
    from jobs.runtime.embedded_postgres import running_postgres  # psycopg only where Postgres is needed

    return stack.enter_context(running_postgres(home))


def _role_of_the_environment(environment: Environment) -> boto3.Session:
    from jobs.runtime.aws import aws_session  # boto3 takes a third of a second to import

    return aws_session(environment)


_PERSONAL = Machine(_own_spark, _role_of_the_environment)
_machine = ContextVar("machine", default=_PERSONAL)


@contextmanager
def on_machine(machine: Machine) -> Iterator[None]:
    """Sessions that are opened inside are on that machine."""
    token = _machine.set(machine)
    try:
        yield
    finally:
        _machine.reset(token)


class Session:
    """One command's resources."""

    def __init__(self, project: Project, settings: Settings, progress: Progress, stack: ExitStack) -> None:
        self.project, self.settings, self.progress = project, settings, progress
        self.machine = _machine.get()
        self.aws: Callable[[], boto3.Session] = cache(lambda: self.machine.identity(project.environment))
        is_on_aws = project.environment.region is not None and settings.lake_url.startswith("s3://")
        self.lake = Lake(settings.lake_url, self.aws() if is_on_aws else None)
        self._server: Callable[[], EmbeddedPostgres] = cache(lambda: _own_postgres(settings.home, stack))
        self.spark: Callable[[], SparkSession] = cache(lambda: self.machine.start_spark(self, stack))

    def warehouse(self) -> AbstractContextManager[Warehouse]:
        """A session on the variable's Postgres, else on the warehouse that the environment names."""
        given, named = self.settings.warehouse_url, self.project.environment.warehouse
        if given is None and isinstance(named, RedshiftWarehouse):
            from jobs.warehouse.redshift import open_redshift  # boto3 takes a third of a second to import

            return open_redshift(self.aws(), named)
        from jobs.warehouse.postgres import open_warehouse

        return open_warehouse(given.get_secret_value() if given else self._server().url("warehouse"))

    def source_url(self, pipeline: str) -> str:
        """The connection of the pipeline's name: a variable's, else the environment's secret; where nothing is on AWS a database of its own
        in the embedded Postgres. Raises ConfigError where an environment on AWS has none."""
        environment = self.project.environment
        if given := self.settings.connection_url(pipeline):
            return given.get_secret_value()
        if connection := environment.connections.get(pipeline):
            from jobs.runtime.secrets import secret_text  # boto3 takes a third of a second to import

            return secret_text(self.aws(), connection.secret)
        if environment.region is not None:
            raise ConfigError(
                f"Connecting to the source of {pipeline}: expected its secret among the connections of {environment.environment}, got none. "
                "Run `make tf-apply` and `make env`, which make one for every pipeline that reads Postgres."
            )
        return self._server().url(f"source_{pipeline}")

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
            warehouse=self.warehouse,
            spark=self.spark,
            max_batches=max_batches,
            accept_shrink=accept_shrink,
            list_all=list_all,
            full=full,
            command=command,
            publishes=self.machine.publishes,
            catalog=self._catalog(pipeline),
            late_request_seconds=self.project.environment.late_request_seconds,
        )

    def _catalog(self, pipeline: str) -> Catalog | None:
        known = self.project.environment.catalog
        if known is None or pipeline not in known.databases:
            return None
        return Catalog(known.databases[pipeline], self._glue)

    def _glue(self) -> Any:
        from jobs.runtime.aws import client

        return client(self.aws(), "glue")


@contextmanager
def open_session(project: Project, progress: Progress) -> Iterator[Session]:
    """The resources of one command, given back at its end."""
    with ExitStack() as stack:
        yield Session(project, load_settings(project), progress, stack)
