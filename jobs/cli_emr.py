"""Commands for runs on EMR: submit one and follow it, read what it wrote, cancel it.

boto3 takes a third of a second to import, which no other command may take: what needs it is imported in the functions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from jobs import printing
from jobs.cli_options import AsOf, Env, Json, PipelineName, chosen_feeds, session_in, show, utc
from jobs.config.aws import Emr
from jobs.errors import UsageError
from jobs.run.pipeline_run import RunReport, load_pipeline
from jobs.run.session import Session
from jobs.run.settled import unfinished_work

if TYPE_CHECKING:
    import boto3

    from jobs.emr.follow import Ended
    from jobs.emr.steps import Step
    from jobs.emr.submit import Submitted

RunId = Annotated[str | None, typer.Option("--run-id", help="The run's id. Default: the newest run.")]


def submit(
    pipeline: PipelineName,
    feeds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FEED]...", help="Only these feeds and derived tables. Default: all."),
    ] = None,
    env: Env = "local",
    as_of: AsOf = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            help="Finish or attach to the run of this id. Default: a running step of the same arguments, else a new id.",
        ),
    ] = None,
    max_batches: Annotated[
        int | None, typer.Option(min=1, help="At most so many batches per feed. Default: all pending.")
    ] = None,
    accept_shrink: Annotated[
        bool, typer.Option("--accept-shrink", help="Accept a snapshot far smaller than the last one.")
    ] = False,
    list_all: Annotated[
        bool, typer.Option("--list-all", help="List every dated folder, not only those within late_by_days.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything again and apply it through each table's mode.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when EMR has the step, without following it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a pipeline as a step on EMR, or attach to the step that is doing it; follow it to its end and load what it has committed."""
    from jobs.emr.follow import follow
    from jobs.emr.logs import StepLogs
    from jobs.emr.package import Package, deliver
    from jobs.emr.request import RunRequest, new_run_id, require_run_id
    from jobs.emr.submit import submit as submit_run
    from jobs.run.leases import StepsOfRuns, release_ended_steps

    options = [*(feeds or ()), *_as_of_option(as_of), *(["--max-batches", str(max_batches)] if max_batches else [])]
    flags = {"--accept-shrink": accept_shrink, "--list-all": list_all, "--full": full}
    options += [flag for flag, is_set in flags.items() if is_set]
    with session_in(env) as session:
        chosen = chosen_feeds(session.project, pipeline, feeds)
        compute, aws = _opened(session)
        given = require_run_id(run_id) if run_id else new_run_id(utc(as_of))
        request = RunRequest(env, pipeline, tuple(options), given, is_named=run_id is not None)
        steps = StepsOfRuns(aws, compute, env, pipeline)

        def delivering() -> Package:
            release_ended_steps(session.lake, steps, chosen)
            return deliver(aws, compute.artifacts_uri, session.project.root, session.settings.home, session.progress)

        unfinished = partial(unfinished_work, session.lake, pipeline, chosen)
        found = submit_run(aws, session.project.environment, request, delivering, unfinished)
        session.progress.say(_told(found))
        if detach:
            _show(as_json, found.step, StepLogs(aws, compute.log_uri, found.step).address)
            return
        try:
            ended = follow(aws, compute, found.step, session.progress, unfinished)
        except KeyboardInterrupt:
            _say_how_to_go_on(env, pipeline, found.step)
            raise typer.Exit(1) from None
        # Also after a step that failed: what it has committed of other feeds is as good as ever.
        loaded = load_pipeline(session.context(pipeline, run_id=found.step.run_id), chosen)
    _show_end(as_json, ended, loaded)


def logs(
    pipeline: PipelineName,
    run_id: RunId = None,
    step: Annotated[str | None, typer.Option("--step", help="Id of a step: s-…")] = None,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Print what the newest step of a pipeline wrote: its stdout, then its stderr."""
    from jobs.emr.logs import StepLogs
    from jobs.emr.steps import newest, steps_of
    from jobs.runtime.aws import client

    with session_in(env) as session:
        session.project.pipeline(pipeline)
        compute, aws = _opened(session)
        emr = client(aws, "emr")
        steps = steps_of(emr, compute, env, pipeline, run_id=run_id)
        found = newest((each for each in steps if step in (None, each.id)), _what(pipeline, run_id, step))
        stored = StepLogs(aws, compute.log_uri, found)
        out, err = stored.read("stdout"), stored.read("stderr")
    if as_json:
        show(True, _document(found, stored.address) | {"stdout": out, "stderr": err}, lambda _: None)
        return
    print(f"{found.name} ({found.id} on {found.cluster}, {found.state}); logs: {stored.address}", file=sys.stderr)
    for name, text in (("stdout", out), ("stderr", err)):
        print(f"--- {name}" if text else f"--- {name}: nothing yet", file=sys.stderr)
        print(text or "", end="", flush=True)


def cancel(pipeline: PipelineName, run_id: RunId = None, env: Env = "local", as_json: Json = False) -> None:
    """Cancel the step of a pipeline, and wait until it has ended."""
    from jobs.emr.cancel import cancel as cancel_step
    from jobs.emr.logs import StepLogs
    from jobs.emr.steps import active_steps_of
    from jobs.runtime.aws import client

    with session_in(env) as session:
        session.project.pipeline(pipeline)
        compute, aws = _opened(session)
        active = active_steps_of(client(aws, "emr"), compute, env, pipeline)
        found = _only([each for each in active if run_id in (None, each.run_id)], _what(pipeline, run_id, None))
        ended = cancel_step(aws, found, session.progress)
    _show(as_json, ended, StepLogs(aws, compute.log_uri, ended).address)


def _opened(session: Session) -> tuple[Emr, boto3.Session]:
    from jobs.emr.submit import require_emr

    return require_emr(session.project.environment), session.aws()


def _as_of_option(as_of: datetime | None) -> list[str]:
    return ["--as-of", f"{as_of:%Y-%m-%dT%H:%M:%S}"] if as_of else []


def _what(pipeline: str, run_id: str | None, step: str | None) -> str:
    """What is looked for, for a message."""
    named = [f"run {run_id}"] if run_id else []
    named += [f"step {step}"] if step else []
    return f"{' and '.join(named) or 'a run'} of {pipeline}"


def _only(active: Sequence[Step], what: str) -> Step:
    """The one active step. Raises UsageError if there is none or more than one."""
    if len(active) == 1:
        return active[0]
    got = ", ".join(step.run_id for step in active[:5]) or "none"
    remedy = "Choose one with --run-id." if active else "Nothing is pending or running."
    raise UsageError(f"Cancelling {what}: expected one pending or running step, got {got}. {remedy}")


def _told(found: Submitted) -> str:
    step = found.step
    where = f"step {step.id} on cluster {step.cluster}, run id {step.run_id}"
    if found.is_new:
        return f"submitted: {where}"
    return f"attached, as it is asked the same: {where}" if step.is_active else f"done before: {where}"


def _say_how_to_go_on(env: str, pipeline: str, step: Step) -> None:
    print(
        f"Stopped following; step {step.id} goes on. Follow it again: tidemark submit {pipeline} --env {env} --run-id {step.run_id}\n"
        f"Stop it: tidemark cancel {pipeline} --env {env} --run-id {step.run_id}",
        file=sys.stderr,
    )


def _document(step: Step, logs: str) -> dict[str, Any]:
    """`{step, name, run_id, cluster, state, created_at, logs}`."""
    return {
        "step": step.id,
        "name": step.name,
        "run_id": step.run_id,
        "cluster": step.cluster,
        "state": step.state,
        "created_at": step.created_at,
        "logs": logs,
    }


def _show(as_json: bool, step: Step, logs: str) -> None:
    def for_people(console: Console) -> None:
        console.print(
            f"{step.name}: {step.state}; step {step.id} on cluster {step.cluster}; logs: {logs}", markup=False
        )

    show(as_json, _document(step, logs), for_people)


def _show_end(as_json: bool, ended: Ended, loaded: RunReport) -> None:
    """Prints how the step ended and what was loaded, and ends the command with the success of both."""
    errors = [*([ended.error] if ended.error else []), *loaded.errors]
    if as_json:
        loads = {"loads": printing.run_document(loaded)["loads"]}
        show(True, _document(ended.step, ended.logs) | loads | printing.error_document(errors), lambda _: None)
    else:
        _show(False, ended.step, ended.logs)
        printing.print_run(printing.console(), loaded)
    if ended.error:
        printing.print_error(ended.error)
        raise typer.Exit(ended.error.exit_code)
    if loaded.exit_code:
        raise typer.Exit(loaded.exit_code)
