"""A run whose Spark is a step on EMR: submit it or attach to it, and tell by the ledger whether it is done. No Spark here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from jobs.emr.package import Package, deliver
from jobs.emr.request import RunRequest, new_run_id, require_run_id
from jobs.emr.submit import Submitted, require_emr, submit
from jobs.run.backfill import Stretch
from jobs.run.leases import StepsOfRuns, release_ended_steps
from jobs.run.session import Session
from jobs.run.settled import unfinished_work


def run_request(
    environment: str,
    pipeline: str,
    run_id: str | None = None,
    feeds: Sequence[str] = (),
    *,
    as_of: datetime | None = None,
    max_batches: int | None = None,
    accept_shrink: bool = False,
    list_all: bool = False,
    full: bool = False,
) -> RunRequest:
    """What is pending; None for `run_id` is a new one. Raises UsageError for an id that no name can hold."""
    options = [*_as_of(as_of), *(("--max-batches", str(max_batches)) if max_batches else ())]
    flags = {"--accept-shrink": accept_shrink, "--list-all": list_all, "--full": full}
    options += [flag for flag, is_set in flags.items() if is_set]
    given = require_run_id(run_id) if run_id else new_run_id(as_of)
    return RunRequest(environment, pipeline, tuple(options), given, run_id is not None, tuple(feeds))


def backfill_request(
    environment: str,
    pipeline: str,
    run_id: str | None,
    feeds: Sequence[str],
    *,
    stretch: Stretch,
    as_of: datetime | None = None,
) -> RunRequest:
    """A stretch of the past of these feeds. Raises UsageError for an id that no name can hold."""
    ends = ("--from", str(stretch.start), "--to", str(stretch.end), "--chunk-days", str(stretch.days_per_part))
    given = require_run_id(run_id) if run_id else new_run_id(as_of)
    return RunRequest(
        environment, pipeline, (*ends, *_as_of(as_of)), given, run_id is not None, tuple(feeds), "backfill"
    )


def _as_of(moment: datetime | None) -> tuple[str, ...]:
    return ("--as-of", f"{moment:%Y-%m-%dT%H:%M:%S}") if moment else ()


def submit_run(
    session: Session, request: RunRequest, cluster: str | None = None, package: Callable[[], Package] | None = None
) -> Submitted:
    """The step that does the run, as `jobs.emr.submit.submit` finds or makes it; leases of steps that have ended are ended first.

    `cluster`: where a new step is put; None: as the environment says. `package`: what a new step runs; None: packaged here.
    """
    compute = require_emr(session.project.environment)
    steps = StepsOfRuns(session.aws(), compute, request.environment, request.pipeline)
    feeds = work_of(session, request)

    def packaged() -> Package:
        release_ended_steps(session.lake, steps, feeds)
        if package:
            return package()
        home, root = session.settings.home, session.project.root
        return deliver(session.aws(), compute.artifacts_uri, root, home, session.progress)

    return submit(
        session.aws(), session.project.environment, request, packaged, unfinished_of(session, request), cluster
    )


def work_of(session: Session, request: RunRequest) -> list[str]:
    """The feeds and derived tables that the run goes through, in the order of the work. Raises UsageError."""
    pipeline = session.project.pipeline(request.pipeline)
    if request.command == "backfill":
        return [*request.feeds, *pipeline.derived_from(request.feeds)]
    return [name for name in pipeline.batched if not request.feeds or name in request.feeds]


def unfinished_of(session: Session, request: RunRequest) -> Callable[[str, datetime], Sequence[str]]:
    """The ledger's word on what the run has left, given its id and since when its step exists."""
    feeds = work_of(session, request)
    return lambda run_id, since: unfinished_work(session.lake, request.pipeline, feeds, run_id, since)
