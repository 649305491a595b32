"""Commands that go back: read a stretch of the past again, replay rejected records, give a batch up."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import printing
from jobs.batches import RecordId
from jobs.cli_options import (
    AsOf,
    DaysPerPart,
    Env,
    Json,
    PipelineName,
    RunId,
    chosen_feeds,
    command_line,
    session_in,
    show,
    show_run,
    utc,
)
from jobs.errors import UsageError
from jobs.ledger.feed_ledger import FeedLedger
from jobs.run.pipeline_run import run_pipeline
from jobs.run.rejected import Rejected, open_records
from jobs.run.session import Session

FeedName = Annotated[str, typer.Argument(metavar="FEED", help="One of the pipeline's feeds.")]

quarantine = typer.Typer(no_args_is_help=True, help="List the rejected records of a pipeline, and judge them again.")


def backfill(
    pipeline: PipelineName,
    feeds: Annotated[list[str], typer.Argument(metavar="FEED...", help="Feeds of the pipeline.")],
    start: Annotated[str, typer.Option("--from", metavar="DAY|ID", help="The first day (2024-03-01) or id.")],
    end: Annotated[str, typer.Option("--to", metavar="DAY|ID", help="The last day or id; it is read too.")],
    days_per_part: DaysPerPart = 1,
    env: Env = "local",
    as_of: AsOf = None,
    run_id: RunId = None,
    as_json: Json = False,
) -> None:
    """Read a stretch of the past again, in parts. The same command goes on where it was stopped; what is new next is not touched."""
    from jobs.run.backfill import BackfillClaims, Stretch

    stretch = Stretch.between(start, end, days_per_part)
    with session_in(env, pipeline) as session:
        context = session.context(pipeline, as_of=utc(as_of), run_id=run_id, command=command_line())
        chosen = chosen_feeds(session.project, pipeline, feeds)
        claims = {feed: BackfillClaims(context, feed, stretch) for feed in chosen}
        report = run_pipeline(context, [*chosen, *context.pipeline.derived_from(chosen)], claims)
    show_run(as_json, report)


@quarantine.command("list")
def list_rejected(
    pipeline: PipelineName,
    feed: Annotated[str | None, typer.Argument(metavar="[FEED]", help="Default: all.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Show at most so many; --json has all.")] = 50,
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """Show the open rejected records: where each came from and why it was rejected."""
    with session_in(env, pipeline) as session:
        chosen = chosen_feeds(session.project, pipeline, [feed] if feed else None)
        found = {name: _open(session, pipeline, name) for name in chosen}
    document = printing.quarantine_document(pipeline, found)
    show(as_json, document, lambda console: printing.print_quarantine(console, pipeline, found, most))


@quarantine.command()
def replay(
    pipeline: PipelineName,
    feed: FeedName,
    table: Annotated[str | None, typer.Option(help="Only records of this table.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Only records that this batch rejected.")] = None,
    object_key: Annotated[str | None, typer.Option("--object", help="Only records of this object.")] = None,
    record: Annotated[int | None, typer.Option(help="Only the record of this number.")] = None,
    env: Env = "local",
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Judge open rejected records again, by today's contract, in a batch of their own. What fails again stays rejected."""
    from jobs.run.replay import ReplayClaim

    with session_in(env, pipeline) as session:
        context = session.context(pipeline, as_of=utc(as_of), command=command_line())
        (chosen,) = chosen_feeds(session.project, pipeline, [feed])
        wanted = [
            each.id
            for each in _open(session, pipeline, chosen)
            if table in (None, each.table)
            and batch in (None, each.batch)
            and object_key in (None, each.object)
            and record in (None, each.record)
        ]
        _require_some(pipeline, chosen, wanted)
        claims = {chosen: ReplayClaim(context, chosen, wanted)}
        report = run_pipeline(context, [chosen, *context.pipeline.derived_from([chosen])], claims)
    show_run(as_json, report)


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

    with session_in(env, pipeline) as session:
        context = session.context(pipeline, command=command_line())
        (chosen,) = chosen_feeds(session.project, pipeline, [feed])
        number = abandon_batch(context, chosen, undo=undo)
    document = {"pipeline": pipeline, "feed": feed, "abandoned": number}
    show(as_json, document, lambda console: console.print(f"batch {number} of {pipeline}/{feed} is void"))


def _open(session: Session, pipeline: str, feed: str) -> list[Rejected]:
    ledger = FeedLedger(session.lake, pipeline, feed)
    return open_records(session.lake, ledger, ledger.state())


def _require_some(pipeline: str, feed: str, wanted: list[RecordId]) -> None:
    if not wanted:
        raise UsageError(
            f"Replaying rejected records of {pipeline}/{feed}: expected open ones that fit the options, got none. "
            f"`tidemark quarantine list {pipeline} {feed}` shows those that are open."
        )
