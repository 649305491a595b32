"""The life of one cluster: when it starts and ends, and which of its steps run meanwhile. Everything that changes a state is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any

from moto.core.utils import utcnow
from moto.emr.exceptions import ValidationException
from moto.emr.models import Cluster, Step

from infra.local.step_run import StepRun

# Long enough that a client that does not wait for the cluster meets STARTING, as it would on AWS for minutes.
_STARTING_SECONDS = 1.0

_ACTIVE = ("PENDING", "CANCEL_PENDING", "RUNNING")
_MOST_ACTIVE_STEPS = 256


class LiveStep(Step):
    """A step that has a state of its own from the beginning; moto's first one is RUNNING before its cluster has started."""

    def __init__(self, name: str, hadoop_jar_step: dict[str, Any], action_on_failure: str) -> None:
        super().__init__("PENDING", name, hadoop_jar_step, action_on_failure)
        self.execution_role_arn: str | None = None
        self.failure_details: dict[str, str] | None = None

    def start(self) -> None:
        """moto calls it for the first step while it makes the cluster; `ClusterLife` starts steps."""

    def finish(self, state: str) -> None:
        vars(self).update(end_date_time=utcnow(), state=state)

    @property
    def status(self) -> dict[str, Any]:
        return super().status | ({"FailureDetails": self.failure_details} if self.failure_details else {})


@dataclass(frozen=True)
class Ending:
    """What a cluster ends as, and why (EMR API reference, ClusterStateChangeReason)."""

    state: str
    code: str
    message: str


BY_USER = Ending("TERMINATED", "USER_REQUEST", "Terminated by user request")
_DONE = Ending("TERMINATED", "ALL_STEPS_COMPLETED", "Steps completed")
_FAILED = Ending("TERMINATED_WITH_ERRORS", "STEP_FAILURE", "Shut down as step failed")
_LOST = Ending("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", "The master node was terminated")


class ClusterLife:
    """One cluster in a thread of its own. moto's objects hold the states; other threads read them and change none."""

    def __init__(
        self, cluster: Cluster, run_of: Callable[[LiveStep], StepRun], release: Callable[[Cluster], None]
    ) -> None:
        """`run_of` prepares a step's run; `release` gives the cluster's instances back."""
        self._cluster = cluster
        self._run_of = run_of
        self._release = release
        self._changed = Condition()
        self._runs: dict[str, StepRun] = {}
        self._ending: Ending | None = None
        self._thread = Thread(target=self._live, name=cluster.id, daemon=True)

    @property
    def _steps(self) -> list[LiveStep]:
        return [step for step in self._cluster.steps if isinstance(step, LiveStep)]

    def begin(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def add(self, steps: list[LiveStep]) -> None:
        """Raises ValidationException for a cluster that ends, or that has too many steps to do (EMR API reference, AddJobFlowSteps)."""
        with self._changed:
            if self._ending is not None:
                raise ValidationException(
                    "A job flow that is shutting down, terminating, or finished may not be modified."
                )
            require_room(steps, self._cluster.steps)
            self._cluster.steps.extend(steps)
            self._changed.notify_all()

    def set_concurrency(self, level: int) -> None:
        """Running steps go on; steps that wait start while fewer than `level` run."""
        with self._changed:
            self._cluster.step_concurrency_level = level
            self._changed.notify_all()

    def terminate(self, ending: Ending) -> None:
        """Ends the running steps; what is not yet done is cancelled (EMR API reference, TerminateJobFlows)."""
        with self._changed:
            self._end(ending)

    def lose(self) -> None:
        """The primary node is gone: its processes are killed, nobody is left to say anything of the steps that wait."""
        with self._changed:
            if self._ending is None:
                self._ending = _LOST
                self._kill_runs("INTERRUPTED")

    def cancel(self, step: LiveStep, option: str) -> bool:
        """Whether the request is taken: a step that has ended cannot be cancelled."""
        with self._changed:
            if step.state == "PENDING":
                step.finish("CANCELLED")
            elif run := self._runs.get(step.id):
                step.state = "CANCEL_PENDING"
                (run.kill if option == "TERMINATE_PROCESS" else run.interrupt)()
            else:
                return False
            self._changed.notify_all()
            return True

    def _live(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending is not None, _STARTING_SECONDS)
            if self._ending is None:
                self._cluster.ready_datetime = utcnow()
            while self._ending is None:
                self._start_steps()
                if self._runs or self._cluster.keep_job_flow_alive_when_no_steps:
                    self._cluster.state = "RUNNING" if self._runs else "WAITING"
                    self._changed.wait()
                else:
                    self._end(_DONE)
            self._cluster.state = "TERMINATING"
            self._changed.wait_for(lambda: not self._runs)
        self._release(self._cluster)
        self._cluster.end_datetime = utcnow()
        vars(self._cluster).update(ended_with=self._ending, state=self._ending.state)

    def _start_steps(self) -> None:
        for step in self._steps:
            if step.state == "PENDING" and len(self._runs) < self._cluster.step_concurrency_level:
                run = self._runs[step.id] = self._run_of(step)
                step.start_date_time = utcnow()
                step.state = "RUNNING"
                Thread(target=self._wait_for, args=(step, run), name=step.id, daemon=True).start()

    def _wait_for(self, step: LiveStep, run: StepRun) -> None:
        code = 1
        try:
            code = run.run()
        finally:
            with self._changed:
                del self._runs[step.id]
                self._judge(step, code, run)
                self._changed.notify_all()

    def _judge(self, step: LiveStep, code: int, run: StepRun) -> None:
        if step.state == "CANCEL_PENDING":
            step.finish("CANCELLED")
        elif step.state == "INTERRUPTED":
            step.finish("INTERRUPTED")
        elif code == 0:
            step.finish("COMPLETED")
        else:
            step.failure_details = run.logs.failure_details()
            step.finish("FAILED")
            self._act_on_failure(step)

    def _act_on_failure(self, step: LiveStep) -> None:
        """With more than one step at a time the setting is without effect (EMR API reference, StepConfig)."""
        if self._cluster.step_concurrency_level > 1 or step.action_on_failure == "CONTINUE":
            return
        if step.action_on_failure == "CANCEL_AND_WAIT" or self._cluster.termination_protected:
            self._cancel_pending()
        else:
            self._end(_FAILED)

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            self._cancel_pending()
            self._kill_runs("CANCEL_PENDING")

    def _cancel_pending(self) -> None:
        for step in self._steps:
            if step.state == "PENDING":
                step.finish("CANCELLED")

    def _kill_runs(self, state: str) -> None:
        for step in self._steps:
            if run := self._runs.get(step.id):
                run.kill()
                step.state = state
        self._changed.notify_all()


def require_room(added: Sequence[object], steps: Sequence[Step]) -> None:
    """Raises ValidationException."""
    if len(added) + sum(step.state in _ACTIVE for step in steps) > _MOST_ACTIVE_STEPS:
        raise ValidationException(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
        )


def life_of(cluster: Cluster) -> ClusterLife:
    life: ClusterLife = vars(cluster)["life"]
    return life
