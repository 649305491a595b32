"""What every command of the command line shares: its common options, its session, how it prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from jobs import printing
from jobs.config import find_root, load_project
from jobs.config.project import Project
from jobs.errors import UsageError
from jobs.run.pipeline_run import RunReport
from jobs.run.session import Session, open_session
from jobs.runtime.progress import Progress

Env = Annotated[str, typer.Option("--env", envvar="TIDEMARK_ENV", help="Environment: a file in conf/environments/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout and nothing else there.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="The run's time, in UTC. Default: now."),
]
FeedNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FEED]...", help="Only these feeds and derived tables. Default: all."),
]
RunId = Annotated[
    str | None,
    typer.Option(
        "--run-id", help="Running the same id again finishes its batches and claims no more. Default: a new id."
    ),
]
MaxBatches = Annotated[
    int | None, typer.Option("--max-batches", min=1, help="At most so many batches per feed. Default: all pending.")
]
AcceptShrink = Annotated[bool, typer.Option("--accept-shrink", help="Accept a snapshot far smaller than the last one.")]
ListAll = Annotated[
    bool, typer.Option("--list-all", help="List every dated folder, not only those within late_by_days.")
]
Full = Annotated[bool, typer.Option("--full", help="Read everything again and apply it through each table's mode.")]
DaysPerPart = Annotated[int, typer.Option("--chunk-days", min=1, help="How many days one batch reads.")]
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", help="A file in conf/pipelines/, without .yaml.")]


@contextmanager
def session_in(env: str, pipeline: str | None = None) -> Iterator[Session]:
    """What a command in the project around the current folder needs, in one of its environments; `pipeline`: for this one only."""
    project = load_project(find_root(Path.cwd()), env, pipeline)
    with open_session(project, Progress()) as session:
        yield session


def chosen_feeds(project: Project, pipeline: str, chosen: Sequence[str] | None) -> list[str]:
    """The names of feeds and derived tables that were asked for, in the order of the work; all without a choice."""
    known = list(project.pipeline(pipeline).batched)
    unknown = [feed for feed in chosen or [] if feed not in known]
    if unknown:
        raise UsageError(
            f"Choosing feeds of {pipeline}: expected some of {', '.join(known)}, got {unknown[0]!r}. Correct the name."
        )
    return [feed for feed in known if not chosen or feed in chosen]


def command_line() -> str:
    return " ".join(["tidemark", *sys.argv[1:]])


def utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def show(as_json: bool, document: dict[str, Any], for_people: Callable[[Console], None]) -> None:
    if as_json:
        print(json.dumps(document, indent=1, default=str, ensure_ascii=False))
    else:
        for_people(printing.console())


def show_run(as_json: bool, report: RunReport) -> None:
    """Prints what a run did, and ends the command with the run's exit code."""
    show(as_json, printing.run_document(report), lambda console: printing.print_run(console, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)
