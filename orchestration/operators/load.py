"""Load into Redshift what is committed, and see that Redshift has it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from jobs.run.pipeline_run import load_pipeline
from jobs.run.publish import unpublished
from jobs.run.settled import has_committed
from orchestration.operators.work import Work, as_airflow_error, run_id_of


class LoadOperator(BaseOperator):
    """Loads every committed batch that the warehouse lacks, by the Data API. Skipped where this run has brought nothing, so that
    assets change only when tables do."""

    def __init__(self, *, work: Work, **kwargs: Any):
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> None:
        feeds = list(self.work.feeds)
        with self.work.session() as session:
            report = load_pipeline(self.work.run_context(session, context), feeds)
            brought = has_committed(session.lake, self.work.pipeline, feeds, run_id_of(context))
        if report.errors:
            raise as_airflow_error(report.errors)
        for feed in report.published:
            for loaded in feed.loads:
                self.log.info("%s: batch %s: %s", feed.feed, loaded.number, loaded.rows)
        if not (report.published or brought):
            raise AirflowSkipException("nothing new in the warehouse")


class LoadedSensor(BaseSensorOperator):
    """Whether the warehouse's own ledger has every committed batch. Read-only."""

    def __init__(self, *, work: Work, **kwargs: Any):
        super().__init__(mode="reschedule", poke_interval=30, timeout=600, **kwargs)
        self.work = work

    def poke(self, context: Context) -> bool:
        with self.work.session() as session:
            lacking = unpublished(self.work.run_context(session, context), list(self.work.feeds))
        for feed, numbers in lacking.items():
            self.log.info("%s: %s", feed, f"lacks batches {numbers}" if numbers else "every committed batch is loaded")
        return not any(lacking.values())
