"""What a claim can come to: the plan of the next batch, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from jobs.batches import Plan
from jobs.errors import InputMissingError
from jobs.ledger.feed_state import FeedState
from jobs.run.context import RunContext


@dataclass(frozen=True)
class Nothing:
    """Nothing to claim. `held_back`: transactions in the source that rows are waiting for; `overdue`: what is missing.

    `is_limited`: nobody looked, because the run may claim no more.
    """

    held_back: tuple[str, ...] = ()
    overdue: InputMissingError | None = None
    waiting_for: tuple[str, ...] = ()
    is_limited: bool = False


Claim = Callable[[RunContext, str, FeedState, bool], Plan | Nothing]
"""What decides the next batch of a feed, from its ledger as it is under the lease. True: the run's id had batches of it before, so that
only what it began may be finished."""


def next_batch(context: RunContext, feed: str, state: FeedState, reason: str, as_of: datetime | None = None) -> Plan:
    """The plan of batch `state.last + 1`, still without what it reads."""
    return Plan(
        pipeline=context.name,
        feed=feed,
        number=state.last + 1,
        run_id=context.run_id,
        reason=reason,
        as_of=as_of or context.as_of,
        purpose="full" if context.full else "new",
        accept_shrink=context.accept_shrink,
    )


def is_full_read(context: RunContext, state: FeedState) -> bool:
    """Whether the next batch of a `--full` run is the one that reads everything: its first."""
    return context.full and context.run_id not in state.runs
