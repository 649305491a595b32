"""Look, before anything is started: a run with nothing to do makes no cluster."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from jobs.run.look import FeedLook, look
from orchestration.operators.work import Work, as_airflow_error


class LookOperator(BaseOperator):
    """Skips itself, and with that what needs a cluster, where there is nothing to resume and nothing to claim. Writes nothing."""

    def __init__(self, *, work: Work, **kwargs: Any):
        super().__init__(**kwargs)
        self.work = work

    def execute(self, context: Context) -> None:
        with self.work.session() as session:
            request = self.work.request(context)
            run = self.work.run_context(session, context)
            if request.command == "backfill":
                self.log.info("backfill of %s: %s", ", ".join(request.feeds), " ".join(request.options))
                return
            looks = [look(run, feed, sees_databases=False) for feed in self.work.feeds]
        for seen in looks:
            self.log.info("%s: %s", seen.feed, _in_words(seen))
        if errors := [error for seen in looks if (error := seen.error or seen.stopped.overdue)]:
            raise as_airflow_error(errors)
        if not any(seen.has_work for seen in looks):
            raise AirflowSkipException("nothing to resume and nothing to claim")


def _in_words(seen: FeedLook) -> str:
    if seen.state.open_plan:
        return f"batch {seen.state.last} is open"
    waiting = ", ".join((*seen.stopped.held_back, *seen.stopped.waiting_for))
    return seen.pending or (f"waiting for {waiting}" if waiting else "nothing new")
