"""Commands for the leases of feeds: who holds them, and ending a holder that answers no more."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console

from jobs.cli_options import Env, Json, PipelineName, chosen_feeds, session_in, show
from jobs.config.aws import Emr
from jobs.errors import UsageError
from jobs.ledger.lease import current_holder
from jobs.run.session import Session

lease = typer.Typer(no_args_is_help=True, help="Show who writes a feed, and end a run that answers no more.")


@lease.command("show")
def show_leases(pipeline: PipelineName, env: Env = "local", as_json: Json = False) -> None:
    """Show the holder of every feed and derived table."""
    with session_in(env, pipeline) as session:
        found = {
            feed: current_holder(session.lake, pipeline, feed) for feed in chosen_feeds(session.project, pipeline, None)
        }
    document = {
        feed: {"epoch": epoch, "holder": holder.model_dump(mode="json") if holder else None}
        for feed, (epoch, holder) in found.items()
    }

    def for_people(console: Console) -> None:
        for feed, (epoch, holder) in found.items():
            who = (
                f"run {holder.run_id} on {holder.python.host}, pid {holder.python.pid}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC"
                if holder
                else "free"
            )
            console.print(f"{pipeline}/{feed}: {who} (epoch {epoch})", markup=False)

    show(as_json, document, for_people)


@lease.command("break")
def break_lease(
    pipeline: PipelineName,
    feed: Annotated[str, typer.Argument(metavar="FEED", help="A feed or derived table.")],
    env: Env = "local",
    as_json: Json = False,
) -> None:
    """End the run that holds a feed: its step is cancelled, or its process killed, and the lease ends when that is proven."""
    with session_in(env, pipeline) as session:
        (chosen,) = chosen_feeds(session.project, pipeline, [feed])
        proof = _broken(session, env, pipeline, chosen)
    document: dict[str, Any] = {"pipeline": pipeline, "feed": feed, "proof": proof}
    show(as_json, document, lambda console: console.print(f"{pipeline}/{feed} is free: {proof}", markup=False))


def _broken(session: Session, env: str, pipeline: str, feed: str) -> str:
    from jobs.run.leases import StepsOfRuns, break_process_lease, break_step_lease, held_leases

    held = next(held_leases(session.lake, pipeline, [feed]), None)
    if held is None:
        raise UsageError(
            f"Breaking the lease of {pipeline}/{feed}: expected a holder, got none. There is nothing to do."
        )
    compute = session.project.environment.compute
    if isinstance(compute, Emr):
        steps = StepsOfRuns(session.aws(), compute, env, pipeline)
        return break_step_lease(session.lake, steps, held, session.progress)
    return break_process_lease(session.lake, pipeline, held)
