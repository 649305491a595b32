"""Wait until the files of a night are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from jobs.config.feed import CsvFeed
from jobs.run.look import expected_files, missing_files
from orchestration.operators.work import Work, as_of, is_backfill


class DeliveredSensor(S3KeySensor):
    """The provider's sensor for all files that one feed expects in the folder of the run's day. A backfill waits for nothing.

    Listed, not asked for by key: Airflow's role may see the names of what is delivered, not read it. Fails when the time is over
    in which the feed expects them, and names what is missing.
    """

    template_fields = ()

    def __init__(self, *, work: Work, feed: str, definition: CsvFeed, **kwargs: Any):
        super().__init__(
            bucket_key="",
            wildcard_match=True,
            deferrable=True,
            poke_interval=60,
            aws_conn_id=work.connection,
            **kwargs,
        )
        self.work, self.feed, self.definition = work, feed, definition

    def execute(self, context: Context) -> None:
        if is_backfill(context):
            raise AirflowSkipException("a backfill reads what is there")
        night = self._night(context)
        with self.work.session() as session:
            root, pipeline = session.settings.lake_url, session.project.pipeline(self.work.pipeline)
        self.bucket_key = [f"{root.rstrip('/')}/{key}*" for key in expected_files(pipeline, self.feed, night)]
        patience = night + timedelta(minutes=self.definition.expect_within_minutes or 0) - datetime.now(UTC)
        self.timeout = max(patience.total_seconds(), 0)
        if not self.timeout and not self.poke(context):
            raise self._overdue(context)
        super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as timeout:
            raise self._overdue(context) from timeout

    def _night(self, context: Context) -> datetime:
        """The midnight of the run's day, in the feed's time zone."""
        local = as_of(context).astimezone(ZoneInfo(self.definition.timezone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0)

    def _overdue(self, context: Context) -> AirflowFailException:
        night = self._night(context)
        with self.work.session() as session:
            missing = missing_files(session.lake, session.project.pipeline(self.work.pipeline), self.feed, night)
        return AirflowFailException(
            f"Waiting for {self.work.pipeline}/{self.feed} of {night:%Y-%m-%d}: expected all its files within "
            f"{self.definition.expect_within_minutes} minutes of midnight, got none for {', '.join(missing)}. "
            "Deliver them, then clear this task."
        )
