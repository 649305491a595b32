"""Commands for runs on EMR: submit one and follow it, read what it wrote, cancel it.

boto3 takes a third of a second to import, which no other command may take: what needs it is imported in the functions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from jobs import printing
from jobs.cli_options import (
    AcceptShrink,
    AsOf,
    DaysPerPart,
    Env,
    FeedNames,
    Full,
    Json,
    ListAll,
    MaxBatches,
    PipelineName,
    chosen_feeds,
    session_in,
    show,
    utc,
)
from jobs.config.aws import Emr
from jobs.errors import UsageError
from jobs.run.pipeline_run import RunReport, load_pipeline
from jobs.run.session import Session

if TYPE_CHECKING:
    import boto3

    from jobs.emr.follow import Ended
    from jobs.emr.steps import Step
    from jobs.emr.submit import Submitted

WhichRun = Annotated[str | None, typer.Option("--run-id", help="The run's id. Default: the newest run.")]


def submit(
    pipeline: PipelineName,
    feeds: FeedNames = None,
    env: Env = "local",
    as_of: AsOf = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run-id",
            help="Finish or attach to the run of this id. Default: a running step of the same arguments, else a new id.",
        ),
    ] = None,
    max_batches: MaxBatches = None,
    accept_shrink: AcceptShrink = False,
    list_all: ListAll = False,
    full: Full = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DAY|ID", help="Backfill instead: the first day (2024-03-01) or id.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY|ID", help="The last day or id of a backfill.")] = None,
    days_per_part: DaysPerPart = 1,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when EMR has the step, without following it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a pipeline as a step on EMR, or attach to the step that is doing it; follow it to its end and load what it has committed."""
    from jobs.emr.follow import follow
    from jobs.emr.logs import StepLogs
    from jobs.run.backfill import Stretch
    from jobs.run.on_emr import backfill_request, run_request, submit_run, unfinished_of, work_of

    with session_in(env, pipeline) as session:
        chosen = chosen_feeds(session.project, pipeline, feeds) if feeds else []
        compute, aws = _opened(session)
        if start or end:
            if max_batches or accept_shrink or list_all or full:
                raise UsageError(f"Submitting a backfill of {pipeline}: expected no options of a run. Leave them out.")
            stretch = Stretch.between(start, end, days_per_part)
            chosen = chosen or list(session.project.pipeline(pipeline).feeds)
            request = backfill_request(env, pipeline, run_id, chosen, stretch=stretch, as_of=utc(as_of))
        else:
            request = run_request(
                env,
                pipeline,
                run_id,
                chosen,
                as_of=utc(as_of),
                max_batches=max_batches,
                accept_shrink=accept_shrink,
                list_all=list_all,
                full=full,
            )
        found = submit_run(session, request)
        session.progress.say(_told(found))
        if detach:
            _show(as_json, found.step, StepLogs(aws, compute.log_uri, found.step).address)
            return
        try:
            ended = follow(aws, compute, found.step, session.progress, unfinished_of(session, request))
        except KeyboardInterrupt:
            _say_how_to_go_on(env, pipeline, found.step)
            raise typer.Exit(1) from None
        # Also after a step that failed: what it has committed of other feeds is as good as ever.
        loaded = load_pipeline(session.context(pipeline, run_id=found.step.run_id), work_of(session, request))
    _show_end(as_json, ended, loaded)


def logs(
    pipeline: PipelineName,
    run_id: WhichRun = None,
    step: Annotated[str | None, typer.Option("--step", help="Id of a step: s-…")] = None,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Print what the newest step of a pipeline wrote: its stdout, then its stderr."""
    from jobs.emr.logs import StepLogs
    from jobs.emr.steps import newest, steps_of
    from jobs.runtime.aws import client

    with session_in(env, pipeline) as session:
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


def cancel(pipeline: PipelineName, run_id: WhichRun = None, env: Env = "local", as_json: Json = False) -> None:
    """Cancel the step of a pipeline's run, or its steps if its feeds go side by side, and wait until all have ended."""
    from jobs.emr.cancel import cancel as cancel_step
    from jobs.emr.logs import StepLogs
    from jobs.emr.steps import active_steps_of
    from jobs.runtime.aws import client

    with session_in(env, pipeline) as session:
        session.project.pipeline(pipeline)
        compute, aws = _opened(session)
        active = active_steps_of(client(aws, "emr"), compute, env, pipeline)
        found = _of_one_run([each for each in active if run_id in (None, each.run_id)], _what(pipeline, run_id, None))
        ended = [cancel_step(aws, step, session.progress) for step in found]
    logs = [StepLogs(aws, compute.log_uri, step).address for step in ended]
    document = {"steps": [_document(step, place) for step, place in zip(ended, logs, strict=True)]}

    def for_people(console: Console) -> None:
        for step, place in zip(ended, logs, strict=True):
            _print_step(console, step, place)

    show(as_json, document, for_people)


def _opened(session: Session) -> tuple[Emr, boto3.Session]:
    from jobs.emr.submit import require_emr

    return require_emr(session.project.environment), session.aws()


def _what(pipeline: str, run_id: str | None, step: str | None) -> str:
    """What is looked for, for a message."""
    named = [f"run {run_id}"] if run_id else []
    named += [f"step {step}"] if step else []
    return f"{' and '.join(named) or 'a run'} of {pipeline}"


def _of_one_run(active: Sequence[Step], what: str) -> Sequence[Step]:
    """The active steps, which must be of one run. Raises UsageError if there are none, or more runs."""
    runs = list(dict.fromkeys(step.run_id for step in active))
    if len(runs) == 1:
        return active
    remedy = "Choose one with --run-id." if runs else "Nothing is pending or running."
    raise UsageError(
        f"Cancelling {what}: expected one run with pending or running steps, got {', '.join(runs[:5]) or 'none'}. {remedy}"
    )


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
    show(as_json, _document(step, logs), lambda console: _print_step(console, step, logs))


def _print_step(console: Console, step: Step, logs: str) -> None:
    told = f"{step.name}: {step.state}; step {step.id} on cluster {step.cluster}; logs: {logs}"
    console.print(told, markup=False)


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
