"""What a person types. Parses, calls one function of `jobs.run`, prints. The only place that turns errors into exit codes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from jobs import cli_emr as emr
from jobs import cli_repair as repair
from jobs import printing
from jobs.cli_lease import lease
from jobs.cli_options import (
    AcceptShrink,
    AsOf,
    Env,
    FeedNames,
    Full,
    Json,
    ListAll,
    MaxBatches,
    PipelineName,
    RunId,
    chosen_feeds,
    command_line,
    session_in,
    show,
    show_run,
    utc,
)
from jobs.config import find_root, load_project
from jobs.errors import TidemarkError, UsageError
from jobs.run.pipeline_run import load_pipeline, run_pipeline

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Files and Postgres tables into curated Delta tables, warehouse tables and reports.",
    epilog="Exit codes: 0 success, 2 bad input or configuration, 1 anything else.",
)


@app.command()
def run(
    pipeline: PipelineName,
    feeds: FeedNames = None,
    env: Env = "local",
    as_of: AsOf = None,
    run_id: RunId = None,
    max_batches: MaxBatches = None,
    accept_shrink: AcceptShrink = False,
    list_all: ListAll = False,
    full: Full = False,
    as_json: Json = False,
) -> None:
    """Take every pending batch through Delta into the warehouse."""
    with session_in(env, pipeline) as session:
        context = session.context(
            pipeline,
            as_of=utc(as_of),
            run_id=run_id,
            max_batches=max_batches,
            accept_shrink=accept_shrink,
            list_all=list_all,
            full=full,
            command=command_line(),
        )
        report = run_pipeline(context, chosen_feeds(session.project, pipeline, feeds))
    show_run(as_json, report)


@app.command()
def load(
    pipeline: PipelineName,
    feeds: FeedNames = None,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Load every committed batch that the warehouse does not have. A run does this at its end; alone it makes good a dead warehouse."""
    with session_in(env, pipeline) as session:
        context = session.context(pipeline, command=command_line())
        report = load_pipeline(context, chosen_feeds(session.project, pipeline, feeds))
    show_run(as_json, report)


@app.command()
def plan(pipeline: PipelineName, env: Env = "local", as_of: AsOf = None, as_json: Json = False) -> None:
    """Show what a run would do. Writes nothing."""
    from jobs.run.look import look

    with session_in(env, pipeline) as session:
        context = session.context(pipeline, as_of=utc(as_of))
        looks = [look(context, feed) for feed in context.pipeline.batched]
    show(
        as_json, printing.plan_document(pipeline, looks), lambda console: printing.print_plan(console, pipeline, looks)
    )
    for seen in looks:
        if seen.error or seen.stopped.overdue:
            raise typer.Exit((seen.error or seen.stopped.overdue or UsageError()).exit_code)


@app.command()
def status(
    pipeline: Annotated[str | None, typer.Argument(metavar="[PIPELINE]", help="Default: all.")] = None,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Show every table: batches, rows, rejects, last run, lag behind its schedule."""
    from jobs.run.status import pipeline_status

    with session_in(env, pipeline) as session:
        chosen = [session.project.pipeline(pipeline)] if pipeline else list(session.project.pipelines.values())
        tables = [table for each in chosen for table in pipeline_status(session.lake, each, datetime.now(UTC))]
    show(as_json, printing.status_document(tables), lambda console: printing.print_status(console, tables))


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="A file in conf/reports/, without .sql.")],
    env: Env = "local",
    as_of: AsOf = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", dir_okay=False, help="Also write a page with a chart, one file that needs no other."),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=0, help="How many rows to print; 0 for all, as --html and --json have.")
    ] = 40,
    as_json: Json = False,
) -> None:
    """Print a report from the warehouse."""
    from jobs.warehouse.reports import run_report

    moment = utc(as_of) or datetime.now(UTC)
    with session_in(env) as session:
        sql = session.project.report_sql(name)
        with session.warehouse() as warehouse:
            table = run_report(warehouse, name, sql, moment)
    if html:
        from jobs.report_page import write_report_page

        write_report_page(html, name, sql, table, moment)
    most = rows or len(table.rows)
    show(
        as_json,
        printing.report_document(name, table),
        lambda console: printing.print_report(console, name, table, most),
    )
    if html:
        print(f"page: {html.resolve()}", file=sys.stderr if as_json else sys.stdout)


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

    with session_in(env, pipeline) as session:
        session.project.pipeline(pipeline)
        made = make_sample(pipeline, day, rows, session.lake, lambda: session.source_url(pipeline))
    show(as_json, printing.sample_document(made), lambda console: printing.print_sample(console, made))


@app.command()
def config(env: Env = "local", as_json: Json = False) -> None:
    """Check everything in conf/ and show what it amounts to."""
    project = load_project(find_root(Path.cwd()), env)
    show(as_json, printing.config_document(project), lambda console: printing.print_config(console, project))


app.command()(repair.backfill)
app.command()(repair.abandon)
app.add_typer(repair.quarantine, name="quarantine")
app.add_typer(lease, name="lease")
app.command()(emr.submit)
app.command()(emr.logs)
app.command()(emr.cancel)


def _interrupt(*_: object) -> None:
    """A polite end is an interrupt: the embedded server is stopped, the lease stays until this process is gone."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: every Tidemark error becomes one message and its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    wants_json = "--json" in given
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(given)
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
