"""The step that does a run: submit it or attach to it, wait for its end, and see in the ledger that its work is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from airflow.providers.amazon.aws.sensors.emr import EmrStepSensor
from airflow.sdk import BaseOperator, BaseSensorOperator, Context, XComArg
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from jobs.emr.cancel import cancel
from jobs.emr.follow import follow
from jobs.emr.package import Package
from jobs.emr.steps import Step, described_step
from jobs.emr.submit import require_emr
from jobs.errors import TidemarkError
from jobs.run.on_emr import submit_run, unfinished_of
from jobs.run.session import Session
from jobs.runtime.aws import client
from orchestration.operators.work import RELEASE, ROOT, Work

_A_DAY_IN_HALF_MINUTES = 2 * 60 * 24


class SubmitOperator(BaseOperator):
    """Returns the id of the step that does the run, and puts its cluster under the key `cluster`: one that is pending, running or has
    done it, else a new one, as a new attempt after a failed one. Ended by a person, it cancels the step."""

    template_fields = ("cluster",)

    def __init__(self, *, work: Work, cluster: XComArg | None, **kwargs: Any):
        """`cluster`: where a new step is put; None: where the environment says."""
        super().__init__(**kwargs)
        self.work, self.cluster = work, cast("str | None", cluster)  # rendered before it is used
        self._step: Step | None = None

    def execute(self, context: Context) -> str:
        with self.work.session() as session:
            found = submit_run(session, self.work.request(context), self.cluster, _released_package())
        self._step = found.step
        self.log.info("%s: step %s on cluster %s", found.step.name, found.step.id, found.step.cluster)
        context["ti"].xcom_push(key="cluster", value=found.step.cluster)
        return found.step.id

    def on_kill(self) -> None:
        if self._step:
            with self.work.session() as session:
                cancel(session.aws(), self._step, session.progress)


class StepSensor(EmrStepSensor):
    """The provider's sensor, which fails with the cause that the job itself has told, as its logs have it."""

    def __init__(self, *, work: Work, submitted: str, **kwargs: Any):
        """`submitted`: the id of the task that submits the step."""
        step, cluster = (
            f"{{{{ ti.xcom_pull(task_ids='{submitted}', key='{key}') }}}}" for key in ("return_value", "cluster")
        )
        super().__init__(
            job_flow_id=cluster,
            step_id=step,
            aws_conn_id=work.connection,
            deferrable=True,
            poke_interval=30,
            max_attempts=_A_DAY_IN_HALF_MINUTES,
            **kwargs,
        )
        self.work = work

    def execute(self, context: Context) -> None:
        try:
            super().execute(context)
        except AirflowException as failure:
            self._raise_cause(context, failure)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        try:
            super().execute_complete(context, event)
        except AirflowException as failure:
            self._raise_cause(context, failure)

    def _raise_cause(self, context: Context, failure: AirflowException) -> None:
        """A failure of waiting alone, with the step still at work, stays what it is: it is tried again."""
        with self.work.session() as session:
            step = described_step(client(session.aws(), "emr"), self.job_flow_id, self.step_id)
            cause = None if step.is_active else _failure(session, self.work, context, step)
        raise AirflowFailException(str(cause)) if cause else failure


class OutcomeSensor(BaseSensorOperator):
    """Whether the ledger has the outcome of the run's batches. S3 shows at once what was put: what is not there now is missing."""

    template_fields = ("cluster", "step")

    def __init__(self, *, work: Work, submitted: str, **kwargs: Any):
        super().__init__(mode="reschedule", poke_interval=30, timeout=600, **kwargs)
        self.work = work
        self.cluster = f"{{{{ ti.xcom_pull(task_ids='{submitted}', key='cluster') }}}}"
        self.step = f"{{{{ ti.xcom_pull(task_ids='{submitted}') }}}}"

    def poke(self, context: Context) -> bool:
        with self.work.session() as session:
            step = described_step(client(session.aws(), "emr"), self.cluster, self.step)
            if failure := _failure(session, self.work, context, step):
                raise AirflowFailException(str(failure))
        return True


def _failure(session: Session, work: Work, context: Context, step: Step) -> TidemarkError | None:
    """Why an ended step is no success, in its own words; None if the ledger has its work."""
    compute = require_emr(session.project.environment)
    unfinished = unfinished_of(session, work.request(context))
    return follow(session.aws(), compute, step, session.progress, unfinished).error


def _released_package() -> Callable[[], Package] | None:
    """What the release's steps run; None in a checkout, which packages itself."""
    release = ROOT / RELEASE
    if not release.is_file():
        return None
    return lambda: Package(**json.loads(release.read_text(encoding="utf-8"))["package"])
