"""What the tasks of a pipeline share: which feeds they are about, the run that a DAG run stands for, a session, and errors as Airflow reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.sdk import BaseHook, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException

from jobs.config import load_project
from jobs.config.environment import Environment
from jobs.emr.request import RunRequest
from jobs.errors import CredentialsError, TidemarkError, UsageError
from jobs.run.backfill import Stretch
from jobs.run.context import RunContext
from jobs.run.on_emr import backfill_request, run_request
from jobs.run.session import Machine, Session, on_machine, open_session
from jobs.runtime.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]
"""What a release holds, as in a checkout: conf/, jobs/, orchestration/."""

RELEASE = "release.json"
"""At the root of a release: what its steps run."""


@dataclass(frozen=True)
class Work:
    """Feeds and derived tables of one pipeline that one chain of tasks is about. `is_whole`: they are all that it has."""

    environment: str
    pipeline: str
    feeds: tuple[str, ...]
    is_whole: bool

    @property
    def connection(self) -> str:
        """The Airflow connection by which AWS is asked."""
        return connection_of(self.environment)

    def request(self, context: Context) -> RunRequest:
        """The run that this DAG run stands for: its id is the run's id, its data interval's end the run's time. Raises UsageError."""
        wanted, run_id, moment = _params(context), run_id_of(context), as_of(context)
        if wanted["from"] is None and wanted["to"] is None:
            feeds = () if self.is_whole else self.feeds
            return run_request(self.environment, self.pipeline, run_id, feeds, as_of=moment, full=bool(wanted["full"]))
        if wanted["full"]:
            raise UsageError(
                f"Reading the parameters of {self.pipeline}: expected either full, or from and to, got both. Leave one out."
            )
        stretch = Stretch.between(wanted["from"], wanted["to"])
        pipeline = load_project(ROOT, self.environment, self.pipeline).pipeline(self.pipeline)
        feeds = tuple(feed for feed in self.feeds if feed in pipeline.feeds)
        return backfill_request(self.environment, self.pipeline, run_id, feeds, stretch=stretch, as_of=moment)

    def run_context(self, session: Session, context: Context) -> RunContext:
        """What look and load are given for this DAG run."""
        full = bool(_params(context)["full"])
        return session.context(self.pipeline, as_of=as_of(context), run_id=run_id_of(context), full=full)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Tidemark's session on this machine, as whom the connection says."""
        with airflow_errors(), on_machine(Machine(_no_spark, self._identity)):
            project = load_project(ROOT, self.environment, self.pipeline)
            with open_session(project, Progress()) as session:
                yield session

    def _identity(self, environment: Environment) -> boto3.Session:
        require_connection(environment)
        hook = AwsBaseHook(aws_conn_id=self.connection, region_name=environment.region, client_type="sts")
        return hook.get_session(region_name=environment.region)


def connection_of(environment: str) -> str:
    return f"tidemark_{environment}"


def require_connection(environment: Environment) -> None:
    """Raises CredentialsError: without this the provider would fall back to whatever the machine may do."""
    name = connection_of(environment.environment)
    try:
        BaseHook.get_connection(name)
    except AirflowNotFoundException as missing:
        extra = f'{{"role_arn": "{environment.role_arn}", "region_name": "{environment.region}"}}'
        raise CredentialsError(
            f"Opening AWS for {environment.environment}: expected an Airflow connection {name!r}, got none. "
            f"Add it, then clear this task: airflow connections add {name} --conn-type aws --conn-extra '{extra}'"
        ) from missing


@contextmanager
def airflow_errors() -> Iterator[None]:
    """Raises Tidemark's errors as Airflow's: what a retry may mend is tried again, everything else fails at once."""
    try:
        yield
    except TidemarkError as error:
        raise as_airflow_error([error]) from error


def as_airflow_error(errors: Iterable[TidemarkError]) -> AirflowException:
    """One error for all of them, in their own words."""
    found = list(errors)
    kind = AirflowException if all(error.retry_helps for error in found) else AirflowFailException
    return kind("\n".join(map(str, found)))


def run_id_of(context: Context) -> str:
    return str(context["dag_run"].run_id)


def as_of(context: Context) -> datetime:
    """The end of the data interval; for a run that has none, when it was asked for."""
    return context.get("data_interval_end") or context["dag_run"].run_after


def is_backfill(context: Context) -> bool:
    wanted = _params(context)
    return wanted["from"] is not None or wanted["to"] is not None


def _params(context: Context) -> dict[str, Any]:
    """`full`, `from` and `to`."""
    return dict(context["params"])


def _no_spark(session: Session, stack: ExitStack) -> SparkSession:
    raise UsageError(
        "Starting Spark: expected a step on a cluster, got a task of Airflow. This is a mistake in the operator."
    )
