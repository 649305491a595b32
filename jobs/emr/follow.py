"""Follow a step to its end, and say how it ended: why it failed, in its own words, and whether the ledger has its work."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import boto3

from jobs.config.aws import Emr
from jobs.emr.clusters import ENDED, Cluster, described
from jobs.emr.logs import NewLines, StepLogs, root_cause
from jobs.emr.steps import Step, described_step
from jobs.emr.submit import Unfinished
from jobs.errors import StepFailedError, TidemarkError
from jobs.runtime.aws import client
from jobs.runtime.progress import Progress, Waiting


@dataclass(frozen=True)
class Pace:
    """How often EMR is asked and logs are read, and how long one waits for the logs of a failed step, in seconds.

    EMR hands logs in every five minutes, and once more when the step has ended.
    """

    step: float = 5
    logs: float = 30
    late_logs: float = 420


USUAL = Pace()


@dataclass(frozen=True)
class Ended:
    """A step that is followed no more. `error`: why it is a failure; None if the work is done."""

    step: Step
    logs: str
    error: StepFailedError | None


def follow(
    session: boto3.Session, compute: Emr, step: Step, progress: Progress, unfinished: Unfinished, pace: Pace = USUAL
) -> Ended:
    """Waits until the step, or its cluster, has ended; shows states and new output meanwhile. Stopping it leaves the step running."""
    logs = StepLogs(session, compute.log_uri, step)
    step, cluster = _awaited(client(session, "emr"), step, NewLines(logs, "stdout"), progress, pace)
    if step.state == "COMPLETED":
        left = unfinished(step.run_id, step.created_at)
        return Ended(step, logs.address, _not_done(step, logs, list(left)) if left else None)
    if step.state == "FAILED":
        return Ended(step, logs.address, _failed(step, logs, progress, pace))
    return Ended(step, logs.address, _not_run(step, cluster))


def wait_for_end(emr: Any, step: Step, waiting: Waiting, pace: Pace, seconds: float | None = None) -> Step | None:
    """The step when it is terminal; None if it is not after `seconds`. CANCEL_PENDING is not: the step may still complete."""
    deadline = time.monotonic() + seconds if seconds is not None else None
    while (step := described_step(emr, step.cluster, step.id)).is_active:
        waiting.now(f"step {step.state}")
        if deadline is not None and time.monotonic() > deadline:
            return None
        time.sleep(pace.step)
    return step


def _awaited(emr: Any, step: Step, output: NewLines, progress: Progress, pace: Pace) -> tuple[Step, Cluster]:
    """The step and its cluster when one of them has ended."""
    read_at = time.monotonic()
    with progress.waiting(step.name) as waiting:
        while True:
            # The cluster first: what its end does to the step is then in the step's own state.
            cluster = described(emr, step.cluster)
            step = described_step(emr, step.cluster, step.id)
            waiting.now(f"cluster {cluster.state}, step {step.state}")
            if not step.is_active or cluster.state in ENDED:
                return step, cluster
            if time.monotonic() - read_at >= pace.logs:
                _show(output, progress)
                read_at = time.monotonic()
            time.sleep(pace.step)


def _show(output: NewLines, progress: Progress) -> None:
    with suppress(
        TidemarkError
    ):  # what is shown meanwhile decides nothing; why logs cannot be read is told when they are needed
        for line in output.read():
            progress.say(f"  {line}")


def _failed(step: Step, logs: StepLogs, progress: Progress, pace: Pace) -> StepFailedError:
    """With the cause that its logs tell; without one with what EMR says."""
    by_emr = step.reason or "no reason given by EMR"
    try:
        told = _awaited_cause(step, logs, progress, pace) or f"{by_emr} (its logs tell no cause)"
    except TidemarkError as unread:
        told = f"{by_emr} ({unread})"
    return StepFailedError(
        f"Running {_where(step)}: expected it to complete, got {step.state}:\n{told}\n"
        f"Its logs are in {logs.address}; once the cause is gone, submit the run again with --run-id {step.run_id}."
    )


def _awaited_cause(step: Step, logs: StepLogs, progress: Progress, pace: Pace) -> str | None:
    deadline = time.monotonic() + pace.late_logs
    with progress.waiting(step.name) as waiting:
        while (cause := _cause(logs)) is None and time.monotonic() < deadline:
            waiting.now("FAILED, waiting for its logs")
            time.sleep(pace.step)
    return cause


def _cause(logs: StepLogs) -> str | None:
    return root_cause(logs.read("stderr") or "", logs.read("stdout") or "")


def _not_done(step: Step, logs: StepLogs, left: list[str]) -> StepFailedError:
    return StepFailedError(
        f"Checking {_where(step)}: expected the ledger to have its work, got {'; '.join(left[:5])}. "
        f"Look into its logs ({logs.address}) and submit the run again with --run-id {step.run_id}."
    )


def _not_run(step: Step, cluster: Cluster) -> StepFailedError:
    """Of a step that was cancelled or interrupted, or that its cluster has left behind."""
    state = f"{step.state} ({step.reason})" if step.reason else step.state
    ended = f", its cluster {cluster.state} ({cluster.reason or 'no reason given'})" if cluster.state in ENDED else ""
    return StepFailedError(
        f"Following {_where(step)}: expected it to complete, got {state}{ended}. "
        f"What is committed stays; submit the run again with --run-id {step.run_id}."
    )


def _where(step: Step) -> str:
    return f"step {step.id} of cluster {step.cluster}"
