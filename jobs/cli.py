"""What a person types. Parses, calls one function of `jobs.run`, prints. The only place that turns errors into exit codes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs import printing
from jobs.config import find_root, load_project
from jobs.config.project import Project
from jobs.errors import TidemarkError, UsageError
from jobs.run.pipeline_run import run_pipeline
from jobs.run.session import Session, open_session
from jobs.runtime.progress import Progress

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Files and Postgres tables into curated Delta tables, warehouse tables and reports.",
    epilog="Exit codes: 0 success, 2 bad input or configuration, 1 anything else.",
)

Env = Annotated[str, typer.Option("--env", envvar="TIDEMARK_ENV", help="Environment: a file in conf/environments/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else there.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="The run's time, in UTC. Default: now."),
]
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", help="A file in conf/pipelines/, without .yaml.")]


@app.command()
def run(
    pipeline: PipelineName,
    feeds: Annotated[
        list[str] | None, typer.Argument(metavar="[FEED]...", help="Only these feeds. Default: all.")
    ] = None,
    env: Env = "local",
    as_of: AsOf = None,
    run_id: Annotated[
        str | None, typer.Option(help="Running the same id again finishes its batches and claims no more.")
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
    as_json: Json = False,
) -> None:
    """Take every pending batch through Delta into the warehouse."""
    with _session(env) as session:
        context = session.context(
            pipeline,
            as_of=_utc(as_of),
            run_id=run_id,
            max_batches=max_batches,
            accept_shrink=accept_shrink,
            list_all=list_all,
            command=" ".join(["tidemark", *sys.argv[1:]]),
        )
        report = run_pipeline(context, _feeds(session.project, pipeline, feeds))
    _print(as_json, printing.run_document(report), lambda console: printing.print_run(console, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command()
def plan(pipeline: PipelineName, env: Env = "local", as_of: AsOf = None, as_json: Json = False) -> None:
    """Show what a run would do. Writes nothing."""
    from jobs.run.look import look

    with _session(env) as session:
        context = session.context(pipeline, as_of=_utc(as_of))
        looks = [look(context, feed) for feed in context.pipeline.feeds]
    _print(
        as_json, printing.plan_document(pipeline, looks), lambda console: printing.print_plan(console, pipeline, looks)
    )
    for seen in looks:
        if seen.error or seen.nothing.overdue:
            raise typer.Exit((seen.error or seen.nothing.overdue or UsageError()).exit_code)


@app.command()
def status(
    pipeline: Annotated[str | None, typer.Argument(metavar="[PIPELINE]", help="Default: all.")] = None,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Show every table: batches, rows, rejects, last run."""
    from jobs.run.status import pipeline_status

    with _session(env) as session:
        chosen = [session.project.pipeline(pipeline)] if pipeline else list(session.project.pipelines.values())
        tables = [table for each in chosen for table in pipeline_status(session.lake, each)]
    _print(as_json, printing.status_document(tables), lambda console: printing.print_status(console, tables))


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="A file in conf/reports/, without .sql.")],
    env: Env = "local",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Print a report from the warehouse."""
    from jobs.warehouse.postgres import open_warehouse
    from jobs.warehouse.reports import run_report

    with _session(env) as session:
        sql = session.project.report_sql(name)
        with open_warehouse(session.warehouse_url()) as warehouse:
            table = run_report(warehouse, name, sql, _utc(as_of) or datetime.now(UTC))
    _print(as_json, printing.report_document(name, table), lambda console: printing.print_report(console, name, table))


@app.command()
def sample(
    pipeline: PipelineName,
    rows: Annotated[int, typer.Option(min=1, help="Rows of the largest table.")] = 1000,
    day: Annotated[int, typer.Option(min=1, help="Which day of the source's life, from 1.")] = 1,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Make one day of a pipeline's source system: the same arguments give the same bytes."""
    from jobs.samples.generate import make_sample

    with _session(env) as session:
        session.project.pipeline(pipeline)
        made = make_sample(pipeline, day, rows, session.lake, lambda: session.source_url(pipeline))
    _print(as_json, printing.sample_document(made), lambda console: printing.print_sample(console, made))


@app.command()
def config(env: Env = "local", as_json: Json = False) -> None:
    """Check everything in conf/ and show what it amounts to."""
    project = load_project(find_root(Path.cwd()), env)
    _print(as_json, printing.config_document(project), lambda console: printing.print_config(console, project))


@app.command()
def abandon(
    pipeline: PipelineName,
    feed: Annotated[str, typer.Argument(help="The feed whose open batch is given up.")],
    undo: Annotated[
        bool, typer.Option("--undo", help="Also when tables hold it already: restore them to before it.")
    ] = False,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Give up the open batch of a feed: its number is burnt, what it would have read is pending again."""
    from jobs.run.abandon import abandon as abandon_batch

    with _session(env) as session:
        context = session.context(pipeline, command=" ".join(["tidemark", *sys.argv[1:]]))
        (chosen,) = _feeds(session.project, pipeline, [feed])
        number = abandon_batch(context, chosen, undo=undo)
    document = {"pipeline": pipeline, "feed": feed, "abandoned": number}
    _print(as_json, document, lambda console: console.print(f"batch {number} of {pipeline}/{feed} is void"))


@contextmanager
def _session(env: str) -> Iterator[Session]:
    project = load_project(find_root(Path.cwd()), env)
    with open_session(project, Progress()) as session:
        yield session


def _feeds(project: Project, pipeline: str, chosen: list[str] | None) -> list[str]:
    known = list(project.pipeline(pipeline).feeds)
    unknown = [feed for feed in chosen or [] if feed not in known]
    if unknown:
        raise UsageError(
            f"Choosing feeds of {pipeline}: expected some of {', '.join(known)}, got {unknown[0]!r}. Correct the name."
        )
    return [feed for feed in known if not chosen or feed in chosen]


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _print(as_json: bool, document: dict[str, Any], for_people: Any) -> None:
    if as_json:
        print(json.dumps(document, indent=1, default=str, ensure_ascii=False))
    else:
        for_people(printing.console())


def _interrupt(*_: object) -> None:
    """A polite end is an interrupt: the embedded server is stopped, the lease stays until this process is gone."""
    raise KeyboardInterrupt


def main() -> None:
    """The console script: every Tidemark error becomes one message and its exit code."""
    wants_json = "--json" in sys.argv
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app()
    except TidemarkError as error:
        if wants_json:
            print(json.dumps(printing.error_document([error]), indent=1, ensure_ascii=False))
        printing.print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("Interrupted. The same command finishes what is open.", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        printing.print_unexpected(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
