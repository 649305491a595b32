"""Submit a run, or attach to the step that is doing it already. EMR has no token that makes adding a step idempotent: names are it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3

from jobs.config.aws import Emr
from jobs.config.environment import Environment
from jobs.emr.clusters import clusters_named, described, launch_request, require_ours, require_release, require_shared
from jobs.emr.package import Package
from jobs.emr.request import RunRequest, step_config
from jobs.emr.steps import ACTIVE, Step, active_steps_of, described_step, steps_of, steps_on
from jobs.errors import AwsUnavailableError, ClusterError, ConfigError, UsageError
from jobs.runtime.aws import aws_errors, client

MOST_ACTIVE_STEPS = 256
"""EMR's limit of steps that are pending or running on one cluster."""

# A run id is given again while its run is being finished; looking further back costs a request for every 50 steps.
_FOUND_AGAIN_DAYS = 7

# Before looking whether a request that failed was carried out after all, and asking again.
_PAUSES_SECONDS = (3.0, 10.0, 30.0)

Unfinished = Callable[[str, datetime], Sequence[str]]
"""The ledger's word on (run id, since when its step exists): what of the run is not done, in words; empty if all is."""


@dataclass(frozen=True)
class Submitted:
    """The step that does the run. `is_new`: it was made by this call."""

    step: Step
    is_new: bool


def submit(
    session: boto3.Session,
    environment: Environment,
    request: RunRequest,
    deliver: Callable[[], Package],
    unfinished: Unfinished,
    cluster: str | None = None,
) -> Submitted:
    """The step of this run: the one that is pending, running or has done all of it, else a new one.

    Without a named run id a step of the pipeline that is asked the same counts as this run. After a failed or cancelled step of the
    run id a new attempt is made: on `cluster`, else on the shared one or on one that is launched for it, as the environment says.
    `deliver` is called only for a new step.

    Raises: ConfigError (no role, no such cluster, another release), ClusterError, CredentialsError, AwsUnavailableError, AwsRefusedError.
    """
    compute = require_emr(environment)
    require_release(compute)
    role = _job_role(compute, request.pipeline)
    emr = client(session, "emr")
    found, attempt = _found_again(emr, compute, request, unfinished)
    if found:
        if found.cluster != compute.shared_cluster:
            require_ours(described(emr, found.cluster), compute)
        return Submitted(found, is_new=False)
    adding = client(session, "emr", retried=False)
    if cluster is None and is_shared(environment, request.pipeline):
        cluster = require_shared(emr, compute).id
    if cluster:
        _require_room(emr, cluster)
        config = step_config(request, attempt, deliver())
        step = _add(emr, adding, cluster, config, role)
    else:
        config = step_config(request, attempt, deliver())
        step = _launch(emr, adding, launch_request(compute, request.cluster_name, config, role))
    return Submitted(step, is_new=True)


def require_emr(environment: Environment) -> Emr:
    """How steps run there. Raises UsageError for an environment whose Spark is not on EMR."""
    if not isinstance(environment.compute, Emr):
        raise UsageError(
            f"Submitting to {environment.environment}: expected an environment whose Spark is on EMR, got {environment.compute.type!r}. "
            "Name another with --env, or run it here: tidemark run PIPELINE"
        )
    return environment.compute


def is_shared(environment: Environment, pipeline: str) -> bool:
    """Whether the pipeline's steps go to the shared cluster."""
    placement = environment.pipelines.get(pipeline)
    return placement is not None and placement.cluster == "shared"


def _job_role(compute: Emr, pipeline: str) -> str:
    if pipeline not in compute.job_roles:
        raise ConfigError(
            f"Submitting {pipeline}: expected a role for its steps in the environment's file, got none. "
            "Run `make tf-apply`, which makes one for every pipeline in conf/, and `make env`."
        )
    return compute.job_roles[pipeline]


def _found_again(emr: Any, compute: Emr, request: RunRequest, unfinished: Unfinished) -> tuple[Step | None, int]:
    """(The step that does or did this run, if any; the number of a new attempt)."""
    if not request.is_named:
        active = active_steps_of(emr, compute, request.environment, request.pipeline)
        return next((step for step in active if request.asks_the_same(step.arguments)), None), 1
    attempts = {
        attempt: step
        for step in steps_of(
            emr, compute, request.environment, request.pipeline, run_id=request.run_id, days=_FOUND_AGAIN_DAYS
        )
        if (attempt := request.attempt_of(step.name))
    }
    last = max(attempts, default=0)
    step = attempts.get(last)
    is_done = step is not None and step.state == "COMPLETED" and not unfinished(request.run_id, step.created_at)
    return step if step and (step.is_active or is_done) else None, last + 1


def _require_room(emr: Any, cluster: str) -> None:
    active = sum(1 for _ in steps_on(emr, cluster, ACTIVE))
    if active >= MOST_ACTIVE_STEPS:
        raise ClusterError(
            f"Submitting to cluster {cluster}: expected fewer than {MOST_ACTIVE_STEPS} pending and running steps, got {active}, EMR's limit. "
            "Wait until some have ended, or cancel some: tidemark cancel PIPELINE"
        )


def _add(emr: Any, adding: Any, cluster: str, config: dict[str, Any], role: str) -> Step:
    def add() -> Step:
        made = adding.add_job_flow_steps(JobFlowId=cluster, Steps=[config], ExecutionRoleArn=role)
        return described_step(emr, cluster, made["StepIds"][0])

    def added() -> Step | None:
        return next((step for step in steps_on(emr, cluster, days=1) if step.name == config["Name"]), None)

    return _done_once(add, added, f"Adding a step to cluster {cluster}")


def _launch(emr: Any, adding: Any, request: dict[str, Any]) -> Step:
    name: str = request["Steps"][0]["Name"]

    def step_on(cluster: str) -> Step | None:
        return next((step for step in steps_on(emr, cluster) if step.name == name), None)

    def launch() -> Step:
        made: str = adding.run_job_flow(**request)["JobFlowId"]
        if step := step_on(made):
            return step
        raise ClusterError(
            f"Launching {request['Name']}: expected its step on cluster {made}, got none. Run the same command again."
        )

    def launched() -> Step | None:
        found = clusters_named(emr, request["Name"], days=1)
        return next((step for cluster in found if (step := step_on(cluster))), None)

    return _done_once(launch, launched, f"Launching {request['Name']}")


def _done_once(do: Callable[[], Step], done: Callable[[], Step | None], doing: str) -> Step:
    """What `do` makes, made once: when it fails without a refusal, `done` looks for it before `do` is tried again."""
    for pause in _PAUSES_SECONDS:
        try:
            with aws_errors(doing):
                return do()
        except AwsUnavailableError:
            time.sleep(pause)  # a request whose answer was lost may still be under way
            if step := done():
                return step
    with aws_errors(doing):
        return do()
