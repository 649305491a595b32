"""A DAG for every file in conf/pipelines/, all of one shape. What they do is in conf/ and in `jobs`; here is only in which order.

    files? ─▶ look ─▶ cluster ─▶ submit ─▶ step ─▶ outcome ─▶ load ─▶ loaded ─▶ report
                         └───────────────────────────┴─▶ remove_cluster

Feeds that share no derived table have a chain each, side by side, from their files to `loaded`. The environment is TIDEMARK_ENV, else
the only one beside `local` in conf/environments/. Nothing here asks AWS or a network.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from airflow.providers.amazon.aws.operators.emr import EmrTerminateJobFlowOperator
from airflow.sdk import DAG, Asset, BaseOperator, CronTriggerTimetable, Param, TaskGroup, TriggerRule

from jobs.config import read_project
from jobs.config.environment import Environment
from jobs.config.feed import CsvFeed
from jobs.config.pipeline import Pipeline
from jobs.config.problems import config_error
from jobs.config.project import DEFAULT_ENVIRONMENT
from jobs.emr.submit import is_shared, require_emr
from jobs.errors import TidemarkError, UsageError
from orchestration.operators.cluster import ClusterOperator
from orchestration.operators.files import DeliveredSensor
from orchestration.operators.load import LoadedSensor, LoadOperator
from orchestration.operators.look import LookOperator
from orchestration.operators.report import ReportOperator
from orchestration.operators.step import OutcomeSensor, StepSensor, SubmitOperator
from orchestration.operators.work import ROOT, Work

_RETRIED = {"retries": 3, "retry_delay": timedelta(minutes=2), "retry_exponential_backoff": 2.0}


class UnreadableConf(DAG):
    """Refuses itself where Airflow judges DAGs one by one: its page shows the message, and the sound pipelines have their DAGs."""

    message = ""

    def validate(self) -> None:
        raise ValueError(self.message)


def pipeline_dag(environment: Environment, pipeline: Pipeline) -> DAG:
    """The DAG of one pipeline. Raises UsageError for an environment whose Spark is not on EMR."""
    require_emr(environment)
    with DAG(
        dag_id=pipeline.pipeline,
        schedule=CronTriggerTimetable(pipeline.schedule, timezone="UTC") if pipeline.schedule else None,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"owner": pipeline.owner, **_RETRIED},
        tags=["tidemark"],
    ) as dag:
        name, paths = pipeline.pipeline, pipeline.paths
        whole = Work(environment.environment, name, pipeline.batched, is_whole=True)
        cluster = None if is_shared(environment, name) else _Cluster(environment, whole, steps_at_once=len(paths))
        ends = []
        for feeds in paths:
            work = Work(environment.environment, name, feeds, is_whole=len(paths) == 1)
            with nullcontext() if work.is_whole else TaskGroup(feeds[0]):
                ends.append(_chain(environment, pipeline, work, cluster))
        if pipeline.reports:
            ends >> ReportOperator(task_id="report", work=whole)
    # Last, and into what is there: every task would copy them, and an assignment compares each schema with its meta-schema.
    # Both together were 60 % of the time that making the DAGs took.
    dag.params.update(_params())
    return dag


def _params() -> dict[str, Param]:
    day_or_id = ["null", "string"]
    return {
        "full": Param(
            False, type="boolean", description="Read everything again and apply it through each table's mode."
        ),
        "from": Param(None, type=day_or_id, description="Backfill instead: the first day (2024-03-01) or id."),
        "to": Param(None, type=day_or_id, description="The last day or id of a backfill; it is read too."),
    }


class _Cluster:
    """Made as soon as one look has found work, removed when the last step has ended, whatever became of it."""

    def __init__(self, environment: Environment, work: Work, steps_at_once: int) -> None:
        self.made = ClusterOperator(
            task_id="cluster",
            work=work,
            steps_at_once=steps_at_once,
            region_name=environment.region,
            trigger_rule=TriggerRule.ONE_SUCCESS,
        )
        self.removed = EmrTerminateJobFlowOperator(
            task_id="remove_cluster",
            job_flow_id=self.made.output,  # type: ignore[arg-type]  # rendered before it is used
            aws_conn_id=work.connection,
            region_name=environment.region,
        ).as_teardown(setups=self.made)


def _chain(environment: Environment, pipeline: Pipeline, work: Work, cluster: _Cluster | None) -> BaseOperator:
    """From the files of some feeds to the warehouse; the last task. Without work for a cluster it goes on from look to load."""
    look = LookOperator(task_id="look", work=work, trigger_rule=TriggerRule.NONE_FAILED)
    for sensor in _files(environment, pipeline, work):
        sensor >> look
    submit = SubmitOperator(task_id="submit", work=work, cluster=cluster.made.output if cluster else None)
    step = StepSensor(task_id="step", work=work, submitted=submit.task_id, region_name=environment.region)
    outcome = OutcomeSensor(task_id="outcome", work=work, submitted=submit.task_id)
    load = LoadOperator(
        task_id="load", work=work, outlets=_assets(pipeline, work), trigger_rule=TriggerRule.NONE_FAILED
    )
    loaded = LoadedSensor(task_id="loaded", work=work, trigger_rule=TriggerRule.NONE_FAILED)
    look >> submit >> step >> outcome >> load >> loaded
    if cluster:
        look >> cluster.made >> submit
        outcome >> cluster.removed
    return loaded


def _files(environment: Environment, pipeline: Pipeline, work: Work) -> list[DeliveredSensor]:
    """One for each feed of files that says by when it expects them."""
    expecting = {
        feed: definition
        for feed in work.feeds
        if isinstance(definition := pipeline.feeds.get(feed), CsvFeed) and definition.expect_within_minutes is not None
    }
    return [
        DeliveredSensor(
            task_id="files" if len(expecting) == 1 else f"files_{feed}",
            work=work,
            feed=feed,
            definition=definition,
            region_name=environment.region,
        )
        for feed, definition in expecting.items()
    ]


def _assets(pipeline: Pipeline, work: Work) -> list[Asset]:
    """The tables of these feeds: `<pipeline>.<table>`, for DAGs that are scheduled on them."""
    tables = [table for feed in work.feeds for table in pipeline.tables_of(feed)]
    return [Asset(f"{work.pipeline}.{table}", f"tidemark://{work.pipeline}/{table}") for table in tables]


def chosen_environment() -> str:
    """Raises UsageError where nothing says which."""
    if named := os.environ.get("TIDEMARK_ENV"):
        return named
    found = sorted(
        file.stem for file in (ROOT / "conf/environments").glob("*.yaml") if file.stem != DEFAULT_ENVIRONMENT
    )
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"Choosing the environment of the DAGs: expected TIDEMARK_ENV or one file beside {DEFAULT_ENVIRONMENT}.yaml in conf/environments, "
        f"got {', '.join(found) or 'none'}. Set TIDEMARK_ENV; `make tf-apply ENV=dev` and `make env ENV=dev` write the file of dev."
    )


def pipeline_dags() -> list[DAG]:
    """One for every sound pipeline; what is wrong with the others is one DAG that refuses itself."""
    wrong: list[str] = []
    dags: list[DAG] = []
    try:
        project, problems = read_project(ROOT, chosen_environment())
        wrong += [str(config_error(problems))] if problems else []
        if project:
            dags = [pipeline_dag(project.environment, pipeline) for pipeline in project.pipelines.values()]
    except TidemarkError as error:
        wrong.append(str(error))
    if wrong:
        broken = UnreadableConf(dag_id="unreadable_conf", schedule=None)
        broken.message = "\n".join(wrong)
        dags.append(broken)
    return dags


globals().update({dag.dag_id: dag for dag in pipeline_dags()})
