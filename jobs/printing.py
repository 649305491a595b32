"""How results look: one JSON-able document and one table for people per command. No decisions."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs.config.problems import Problem
from jobs.config.project import Project
from jobs.errors import ConfigError, TidemarkError
from jobs.run.look import FeedLook
from jobs.run.pipeline_run import RunReport
from jobs.run.rejected import Rejected
from jobs.run.status import TableStatus

if TYPE_CHECKING:
    from jobs.samples.report import SampleReport
    from jobs.warehouse.reports import Report


def console() -> Console:
    """A terminal's own width; in a file or a pipe, tables are as wide as they need."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=400)


def error_document(errors: Iterable[TidemarkError]) -> dict[str, Any]:
    return {"errors": [_error(error) for error in errors]}


def _error(error: TidemarkError) -> dict[str, Any]:
    document = {"error": type(error).__name__, "message": str(error), "retry_helps": error.retry_helps}
    if isinstance(error, ConfigError):
        document["problems"] = [asdict(problem) for problem in error.problems if isinstance(problem, Problem)]
    return document


def print_error(error: TidemarkError) -> None:
    """`error: …` on stderr."""
    console = Console(stderr=True, highlight=False)
    console.print("[bold red]error:[/] ", end="")
    console.print(str(error), markup=False, soft_wrap=True)


def print_unexpected(error: Exception) -> None:
    """A defect of Tidemark, or something it has no word for yet: the whole traceback, and what to do."""
    traceback.print_exception(error)
    print(
        "\nThis should not happen. What is committed stays; run the same command again, and if it fails again report the text above.",
        flush=True,
    )


def run_document(report: RunReport) -> dict[str, Any]:
    """Per ended batch and per load the counts; what held the run back; the errors."""
    batches = [
        {
            "feed": feed.feed,
            "batch": plan.number,
            "status": outcome.status,
            "reason": outcome.reason,
            "as_of": plan.as_of,
            "written": {name: table.written for name, table in outcome.written.items()},
            "rows": {name: table.rows for name, table in outcome.written.items()},
            "quarantined": outcome.quarantined,
            "filtered": {name: table.filtered for name, table in outcome.landed.items()},
            "ignored": outcome.objects.ignored if outcome.objects else {},
        }
        for feed in report.curated
        for plan, outcome in feed.batches
    ]
    loads = [
        {"feed": feed.feed, "batch": load.number, "rows": load.rows, "adopted": load.adopted}
        for feed in report.published
        for load in feed.loads
    ]
    idle = {
        feed: {"held_back": nothing.held_back, "waiting_for": nothing.waiting_for}
        for feed, nothing in report.idle.items()
    }
    head = {"pipeline": report.pipeline, "run_id": report.run_id}
    return head | {"batches": batches, "loads": loads, "idle": idle} | error_document(report.errors)


def print_run(console: Console, report: RunReport) -> None:
    """One line per table and batch, then what was published and what stands in the way."""
    rows = [
        (plan.number, f"{feed.feed}.{name}", written.written, written.unchanged, written.superseded, written.rows)
        for feed in report.curated
        for plan, outcome in feed.batches
        for name, written in outcome.written.items()
    ]
    if rows:
        print_table(console, ("batch", "table", "written", "unchanged", "superseded", "rows"), rows)
    for feed in report.curated:
        committed = [outcome for _, outcome in feed.batches if outcome.status == "committed"]
        filtered = sum(table.filtered for outcome in committed for table in outcome.landed.values())
        quarantined = sum(outcome.quarantined for outcome in committed)
        ignored = sum((Counter(outcome.objects.ignored) for outcome in committed if outcome.objects), Counter[str]())
        console.print(
            f"{report.pipeline}/{feed.feed}: {_count(len(committed), 'batch', 'batches')} committed, "
            f"{_count(quarantined, 'record', 'records')} quarantined, {filtered} filtered"
        )
        if ignored:
            kinds = ", ".join(f"{kind}: {number}" for kind, number in ignored.most_common(5))
            console.print(f"  {ignored.total()} events that no table takes were ignored ({kinds})", markup=False)
        if quarantined:
            console.print(f"  the rejected records: tidemark quarantine list {report.pipeline} {feed.feed}")
    for published in report.published:
        console.print(
            f"{report.pipeline}/{published.feed}: {_count(len(published.loads), 'batch', 'batches')} published"
        )
    if not report.curated and not report.published and not report.errors:
        console.print(f"{report.pipeline}: nothing new")
    for feed_name, nothing in report.idle.items():
        if nothing.held_back:
            console.print(f"{feed_name}: rows wait for {'; '.join(nothing.held_back[:5])}", markup=False)
        if nothing.waiting_for:
            console.print(
                f"{feed_name}: not complete yet, waiting for {', '.join(nothing.waiting_for[:5])}", markup=False
            )
    for error in report.errors:
        print_error(error)


def plan_document(pipeline: str, looks: Sequence[FeedLook]) -> dict[str, Any]:
    return {
        "pipeline": pipeline,
        "feeds": [
            {
                "feed": seen.feed,
                "last_batch": seen.state.last,
                "resume": seen.state.open_plan.number if seen.state.open_plan else None,
                "pending": seen.pending,
                "bounds": seen.state.bounds,
                "waiting_for": seen.stopped.waiting_for,
            }
            for seen in looks
        ],
    } | error_document([error for seen in looks if (error := seen.error or seen.stopped.overdue)])


def print_plan(console: Console, pipeline: str, looks: Sequence[FeedLook]) -> None:
    for seen in looks:
        head = f"{pipeline}/{seen.feed}: last batch {seen.state.last}"
        if seen.state.open_plan:
            console.print(
                f"{head}; a run would finish batch {seen.state.last} ({seen.state.open_plan.reason})", markup=False
            )
        if seen.pending:
            console.print(f"{head}; a run would take {seen.pending}", markup=False)
        if not seen.has_work:
            waiting = f", waiting for {', '.join(seen.stopped.waiting_for[:5])}" if seen.stopped.waiting_for else ""
            console.print(f"{head}; nothing to claim{waiting}", markup=False)
        if error := seen.error or seen.stopped.overdue:
            print_error(error)


def status_document(tables: Sequence[TableStatus]) -> dict[str, Any]:
    return {"tables": [asdict(table) for table in tables]}


def print_status(console: Console, tables: Sequence[TableStatus]) -> None:
    rows = [
        (
            f"{table.pipeline}.{table.table}",
            table.committed,
            table.void,
            table.rows,
            table.quarantined,
            table.published if table.published is not None else "-",
            table.open_batch if table.open_batch is not None else "-",
            f"{table.looked_at:%m-%d %H:%M}" if table.looked_at else "never",
            _lag(table.lag_seconds),
        )
        for table in tables
    ]
    heads = ("table", "batches", "void", "rows", "feed's rejects", "published", "open", "run (UTC)", "lag")
    print_table(console, heads, rows)


def _lag(seconds: int | None) -> str:
    """In the largest unit that is full."""
    if seconds is None:
        return "-"
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    return next((f"{seconds // size} {unit}" for unit, size in units if seconds >= size), "none")


def quarantine_document(pipeline: str, found: Mapping[str, Sequence[Rejected]]) -> dict[str, Any]:
    records = [{"feed": feed, **asdict(record)} for feed, rejected in found.items() for record in rejected]
    return {"pipeline": pipeline, "records": records}


def print_quarantine(console: Console, pipeline: str, found: Mapping[str, Sequence[Rejected]], most: int) -> None:
    rows = [
        (feed, each.batch, each.table, each.object, each.record, "; ".join(each.reasons))
        for feed, rejected in found.items()
        for each in rejected
    ]
    if rows:
        print_table(console, ("feed", "batch", "table", "object", "record", "reasons"), rows[:most])
    left_out = f", of which {most} are shown" if len(rows) > most else ""
    console.print(f"{pipeline}: {_count(len(rows), 'open rejected record', 'open rejected records')}{left_out}")
    if rows:
        console.print(
            f"  judge them again, once the contract or the source is right: tidemark quarantine replay {pipeline} FEED"
        )


def report_document(name: str, table: Report) -> dict[str, Any]:
    return {"report": name, "columns": list(table.columns), "rows": [list(row) for row in table.rows]}


def print_report(console: Console, name: str, table: Report, most: int) -> None:
    console.print(f"[bold]{name}[/]")
    print_table(console, table.columns, table.rows[:most])
    if len(table.rows) > most:
        console.print(f"{len(table.rows)} rows, of which {most} are shown: --rows 0 prints all")


def sample_document(made: SampleReport) -> dict[str, Any]:
    return asdict(made)


def print_sample(console: Console, made: SampleReport) -> None:
    rows = [
        (table.where, table.rows, table.bad, "written" if table.is_new else "there already") for table in made.tables
    ]
    print_table(console, ("delivered", "rows", "of these bad", ""), rows)


def config_document(project: Project) -> dict[str, Any]:
    return {
        "root": project.root,
        "environment": project.environment.model_dump(mode="json"),
        "pipelines": [pipeline.model_dump(mode="json", by_alias=True) for pipeline in project.pipelines.values()],
    }


def print_config(console: Console, project: Project) -> None:
    rows = [
        (name, feed, definition.type, ", ".join(pipeline.tables_of(feed)), pipeline.schedule or "by hand")
        for name, pipeline in project.pipelines.items()
        for feed, definition in pipeline.feeds.items()
    ]
    print_table(console, ("pipeline", "feed", "type", "tables", "schedule (UTC)"), rows)
    console.print(f"environment {project.environment.environment}: everything in conf/ is valid")


def print_table(console: Console, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Numbers to the right, all else to the left; NULL as nothing."""
    rows = list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, head in enumerate(heads):
        is_number = any(isinstance(row[index], int | float) or hasattr(row[index], "as_tuple") for row in rows)
        table.add_column(head, justify="right" if is_number else "left", overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table, markup=False)


def _cell(value: object) -> Text:
    """As text, so that brackets are not read as markup."""
    if value is None:
        return Text("")
    if isinstance(value, datetime):
        return Text(f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M:%S}")
    return Text(str(value))


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
