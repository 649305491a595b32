"""The leases of a pipeline's feeds: who holds which, and the proof that a holder is gone, which only its machine or EMR can give."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import boto3
import psutil

from jobs.config.aws import Emr
from jobs.emr.cancel import cancel
from jobs.emr.steps import Step, steps_of
from jobs.errors import LeaseHeldError, UsageError
from jobs.ledger.lease import Holder, current_holder, release_of_the_dead
from jobs.runtime.aws import client
from jobs.runtime.processes import Process, is_proven_dead, process
from jobs.runtime.progress import Progress
from jobs.runtime.storage import Lake

_DYING_SECONDS = 10.0


@dataclass(frozen=True)
class HeldLease:
    feed: str
    epoch: int
    holder: Holder


@dataclass(frozen=True)
class StepsOfRuns:
    """Where the steps of a pipeline's runs are found."""

    aws: boto3.Session
    compute: Emr
    environment: str
    pipeline: str

    def of(self, holder: Holder, feed: str) -> list[Step]:
        """Those that can have taken this feed's lease for the holder's run."""
        emr = client(self.aws, "emr")
        found = steps_of(emr, self.compute, self.environment, self.pipeline, run_id=holder.run_id)
        return [step for step in found if step.may_write(feed)]


def held_leases(lake: Lake, pipeline: str, feeds: Iterable[str]) -> Iterator[HeldLease]:
    for feed in feeds:
        epoch, holder = current_holder(lake, pipeline, feed)
        if holder:
            yield HeldLease(feed, epoch, holder)


def release_ended_steps(lake: Lake, steps: StepsOfRuns, feeds: Iterable[str]) -> None:
    """Ends the leases of runs whose steps have all ended: a driver goes with its step. Raises LeaseHeldError for one that has not."""
    for held in held_leases(lake, steps.pipeline, feeds):
        found = steps.of(held.holder, held.feed)
        active = next((step for step in found if step.is_active), None)
        if active:
            raise LeaseHeldError(
                f"Taking the lease of {steps.pipeline}/{held.feed}: expected it to be free, got run {held.holder.run_id}, step {active.id} on "
                f"cluster {active.cluster}, {active.state}. Wait until it ends; or end it: tidemark lease break {steps.pipeline} {held.feed} "
                f"--env {steps.environment}"
            )
        if found:
            release_of_the_dead(lake, steps.pipeline, held.feed, held.epoch, _proof(found))


def break_step_lease(lake: Lake, steps: StepsOfRuns, held: HeldLease, progress: Progress) -> str:
    """Ends the holder's step and with that its lease; the proof. Raises UsageError where EMR knows no step of that run."""
    found = steps.of(held.holder, held.feed)
    if not found:
        raise UsageError(
            f"Breaking the lease of {steps.pipeline}/{held.feed}: expected EMR to know a step of run {held.holder.run_id}, got none. "
            f"The run is on {held.holder.python.host}: end its process {held.holder.python.pid} there."
        )
    ended = [cancel(steps.aws, step, progress, grace=0.0) if step.is_active else step for step in found]
    proof = _proof(ended)
    release_of_the_dead(lake, steps.pipeline, held.feed, held.epoch, proof)
    return proof


def break_process_lease(lake: Lake, pipeline: str, held: HeldLease) -> str:
    """Kills the holder's processes on this machine and ends its lease; the proof. Raises UsageError for a holder on another machine."""
    holders = [each for each in (held.holder.python, held.holder.jvm) if each]
    here = process()
    if any((each.host, each.pid_namespace) != (here.host, here.pid_namespace) for each in holders):
        raise UsageError(
            f"Breaking the lease of {pipeline}/{held.feed}: expected its holder on this machine, got process {held.holder.python.pid} on "
            f"{held.holder.python.host}. Run the command there."
        )
    for each in holders:
        _kill(each)
    deadline = time.monotonic() + _DYING_SECONDS
    while not all(is_proven_dead(each) for each in holders):
        if time.monotonic() > deadline:
            raise LeaseHeldError(
                f"Breaking the lease of {pipeline}/{held.feed}: expected process {holders[0].pid} to end, got one that lives. "
                "End it by hand, then run the same command again."
            )
        time.sleep(0.05)
    proof = f"{' and '.join(f'process {each.pid}' for each in holders)} on {here.host} ended"
    release_of_the_dead(lake, pipeline, held.feed, held.epoch, proof)
    return proof


def _kill(holder: Process) -> None:
    if not is_proven_dead(holder):
        psutil.Process(holder.pid).kill()


def _proof(ended: list[Step]) -> str:
    return "; ".join(f"step {step.id} on cluster {step.cluster} is {step.state}" for step in ended)
