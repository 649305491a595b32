"""Steps of our pipelines as EMR lists them, and the newest of a run or a pipeline among them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.config.aws import Emr
from jobs.emr.clusters import clusters_named
from jobs.emr.request import clusters_of, feeds_of, run_id_of, steps_of_pipeline
from jobs.errors import AwsRefusedError, UsageError
from jobs.runtime.aws import aws_errors

ACTIVE = ("PENDING", "CANCEL_PENDING", "RUNNING")

KEPT_DAYS = 60
"""For how long EMR tells of a cluster that has ended."""


@dataclass(frozen=True)
class Step:
    """One step of one cluster. `reason`: why it ended, in EMR's words; '' while there is none."""

    cluster: str
    id: str
    name: str
    state: str
    arguments: tuple[str, ...]
    created_at: datetime
    reason: str

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def run_id(self) -> str:
        return run_id_of(self.name)

    def may_write(self, feed: str) -> bool:
        """Whether the step was given this feed, or all of its pipeline."""
        feeds = feeds_of(self.name)
        return not feeds or feed in feeds


def described_step(emr: Any, cluster: str, step_id: str) -> Step:
    with aws_errors(f"Describing step {step_id} of cluster {cluster}"):
        return _step(cluster, emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"])


def steps_on(emr: Any, cluster: str, states: Sequence[str] = (), days: int = KEPT_DAYS) -> Iterator[Step]:
    """Steps of the last `days`, in one of `states` or in any. Newest first, unless there are `states`."""
    since = datetime.now(UTC) - timedelta(days=days)
    wanted = {"StepStates": list(states)} if states else {}
    with aws_errors(f"Listing the steps of cluster {cluster}"):
        for page in emr.get_paginator("list_steps").paginate(ClusterId=cluster, **wanted):
            for found in page["Steps"]:
                step = _step(cluster, found)
                if step.created_at >= since:
                    yield step
                elif not states:  # all that follow are older
                    return


def steps_of(
    emr: Any, compute: Emr, environment: str, pipeline: str, *, run_id: str | None = None, days: int = KEPT_DAYS
) -> Iterator[Step]:
    """The steps of a pipeline, newest first, wherever they ran: on the shared cluster or on transient ones. Asks EMR as they are taken."""
    prefix = f"{clusters_of(environment, pipeline)}{run_id or ''}"
    on_transient = (
        step for cluster in clusters_named(emr, prefix, days=days) for step in steps_on(emr, cluster, days=days)
    )
    found = heapq.merge(
        on_transient, _on_shared(emr, compute, (), days), key=lambda step: step.created_at, reverse=True
    )
    return (step for step in found if _is_of(step, pipeline) and run_id in (None, step.run_id))


def active_steps_of(emr: Any, compute: Emr, environment: str, pipeline: str) -> list[Step]:
    """Those of `steps_of` that have not ended."""
    clusters = clusters_named(emr, clusters_of(environment, pipeline), days=KEPT_DAYS, active_only=True)
    found = [step for cluster in clusters for step in steps_on(emr, cluster, ACTIVE)]
    found += _on_shared(emr, compute, ACTIVE, KEPT_DAYS)
    ours = [step for step in found if _is_of(step, pipeline)]
    return sorted(ours, key=lambda step: step.created_at, reverse=True)


def _on_shared(emr: Any, compute: Emr, states: Sequence[str], days: int) -> Iterator[Step]:
    """None where EMR no longer knows the cluster."""
    if compute.shared_cluster is not None:
        with suppress(AwsRefusedError):
            yield from steps_on(emr, compute.shared_cluster, states, days)


def _is_of(step: Step, pipeline: str) -> bool:
    return step.name.startswith(steps_of_pipeline(pipeline))


def newest(steps: Iterable[Step], what: str) -> Step:
    """The first of them. Raises UsageError if there is none: `Looking for <what>: …`."""
    for step in steps:
        return step
    raise UsageError(
        f"Looking for {what}: expected a step on EMR, got none. `tidemark submit` makes one; EMR forgets them after {KEPT_DAYS} days."
    )


def _step(cluster: str, found: dict[str, Any]) -> Step:
    status = found["Status"]
    return Step(
        cluster=cluster,
        id=found["Id"],
        name=found["Name"],
        state=status["State"],
        arguments=tuple(found.get("Config", {}).get("Args", ())),
        created_at=status["Timeline"]["CreationDateTime"],
        reason=status.get("StateChangeReason", {}).get("Message") or "",
    )
