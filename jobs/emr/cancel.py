"""Cancel a step, and know that it has ended."""

from __future__ import annotations

from typing import Any

import boto3

from jobs.emr.follow import USUAL, Pace, wait_for_end
from jobs.emr.steps import Step
from jobs.errors import StepFailedError
from jobs.runtime.aws import aws_errors, client
from jobs.runtime.progress import Progress

GRACE_SECONDS = 60.0
"""From the interrupt until the processes are killed; our runs end their statement and keep their lease's proof within it."""

_PATIENCE_SECONDS = 300.0


def cancel(
    session: boto3.Session, step: Step, progress: Progress, grace: float = GRACE_SECONDS, pace: Pace = USUAL
) -> Step:
    """The step at its end: CANCELLED, or COMPLETED or FAILED if it was quicker. First asked politely, then killed.

    Raises: StepFailedError if it has not ended by then.
    """
    emr = client(session, "emr")
    with progress.waiting(step.name) as waiting:
        _ask(emr, step, "SEND_INTERRUPT")
        if ended := wait_for_end(emr, step, waiting, pace, grace):
            return ended
        _ask(emr, step, "TERMINATE_PROCESS")
        if ended := wait_for_end(emr, step, waiting, pace, _PATIENCE_SECONDS):
            return ended
    raise StepFailedError(
        f"Cancelling step {step.id} of cluster {step.cluster}: expected it to end within {grace + _PATIENCE_SECONDS:.0f} s, got one that goes on. "
        "It may still write: run the same command again, or terminate the cluster."
    )


def _ask(emr: Any, step: Step, how: str) -> None:
    """A request that comes too late is refused by EMR; the step's state tells."""
    with aws_errors(f"Cancelling step {step.id} of cluster {step.cluster}"):
        emr.cancel_steps(ClusterId=step.cluster, StepIds=[step.id], StepCancellationOption=how)
