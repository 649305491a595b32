"""One writer per feed: a lease that only ends by its holder's word or by proof of the holder's death, never by a timeout.

Delta has no mutual exclusion between drivers on S3, and a killed Python's JVM can still commit for half a second; so a lease names
both processes and a take-over waits until both are gone. Where the holder runs on another machine, whoever can see its step there
brings the proof (`release_of_the_dead`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from jobs.batches import Stored
from jobs.errors import LeaseHeldError, LedgerConflictError, StorageError, TidemarkError
from jobs.runtime.processes import Process, is_proven_dead
from jobs.runtime.storage import Lake

_DYING_SECONDS = (
    10.0  # how long a take-over waits for the JVM of a dead Python (measured: it lives 0.4 to 0.6 s longer)
)
LATE_REQUEST_SECONDS = 120.0
"""How long requests of a dead holder to S3 may still be under way."""


class Holder(Stored):
    """Who holds an epoch: the command's process, its JVM once there is one, and what it runs."""

    python: Process
    jvm: Process | None
    run_id: str
    command: str
    since: datetime


class Release(Stored):
    """The end of an epoch: by its holder, or by somebody who has `proof` that the holder is gone."""

    at: datetime
    proof: str = ""


def lease_folder(pipeline: str, feed: str) -> str:
    return f"ledger/{pipeline}/{feed}/lease"


def current_holder(lake: Lake, pipeline: str, feed: str) -> tuple[int, Holder | None]:
    """The last epoch (0: none yet) and its holder, or None if that one is released."""
    names = {stored.key.rsplit("/", 1)[-1] for stored in lake.objects(lease_folder(pipeline, feed))}
    epochs = [int(name[:8]) for name in names if re.fullmatch(r"[0-9]{8}\.json", name)]
    if not epochs:
        return 0, None
    epoch = max(epochs)
    if f"{epoch:08d}.released.json" in names:
        return epoch, None
    content = lake.read(f"{lease_folder(pipeline, feed)}/{epoch:08d}.json")
    return epoch, Holder.model_validate_json(content or b"")


def refuse_if_held(lake: Lake, pipeline: str, feed: str) -> None:
    """Raises LeaseHeldError while a living process holds the feed: cheap, before Spark is started."""
    _, holder = current_holder(lake, pipeline, feed)
    if holder and not is_proven_dead(holder.python):
        raise _held(pipeline, feed, holder)


def release_of_the_dead(lake: Lake, pipeline: str, feed: str, epoch: int, proof: str) -> None:
    """Ends the epoch of a holder that is gone; `proof` says how that is known. Nothing if it was released meanwhile."""
    release = Release(at=datetime.now(UTC), proof=proof)
    lake.create(_released(f"{lease_folder(pipeline, feed)}/{epoch:08d}"), release.to_json())


@contextmanager
def held_lease(
    lake: Lake,
    pipeline: str,
    feed: str,
    holder: Holder,
    has_open_plan: Callable[[], bool],
    say: Callable[[str], None],
    late_request_seconds: float = LATE_REQUEST_SECONDS,
) -> Iterator[int]:
    """The feed is ours; yields the epoch. Raises LeaseHeldError when it cannot be.

    Released after success and after a Tidemark error. Any other exception (an interrupt, a lost JVM) may leave a commit under way,
    so the lease then stays until this process and its JVM are proven dead.
    """
    epoch, former = current_holder(lake, pipeline, feed)
    if former:
        _wait_for_death(pipeline, feed, former)
        say(f"{feed}: taking over from pid {former.python.pid}, which is gone")
    died_at = datetime.now(UTC) if former else _proven_death(lake, pipeline, feed, epoch)
    if died_at and lake.is_s3 and has_open_plan():
        _wait_for_late_requests(feed, late_request_seconds - (datetime.now(UTC) - died_at).total_seconds(), say)
    mine = f"{lease_folder(pipeline, feed)}/{epoch + 1:08d}"
    if not lake.create(f"{mine}.json", holder.to_json()):
        _, winner = current_holder(lake, pipeline, feed)
        raise _held(pipeline, feed, winner) if winner else _taken_meanwhile(pipeline, feed)
    try:
        yield epoch + 1
    except TidemarkError:
        with suppress(StorageError):  # a full disk: what failed first is the news, and our end will free the lease
            _release(lake, mine)
        raise
    _release(lake, mine)


def _released(epoch: str) -> str:
    return f"{epoch}.released.json"


def _release(lake: Lake, mine: str) -> None:
    if not lake.create(_released(mine), Release(at=datetime.now(UTC)).to_json()):
        raise LedgerConflictError(f"Releasing {mine}: expected to be its only holder, got a release by another.")


def _proven_death(lake: Lake, pipeline: str, feed: str, epoch: int) -> datetime | None:
    """When the last epoch was ended by proof; None if its holder ended it."""
    content = lake.read(_released(f"{lease_folder(pipeline, feed)}/{epoch:08d}")) if epoch else None
    release = Release.model_validate_json(content) if content else None
    return release.at if release and release.proof else None


def _wait_for_late_requests(feed: str, seconds: float, say: Callable[[str], None]) -> None:
    if seconds > 0:
        say(f"{feed}: waiting {seconds:.0f} s for late requests of the former run")
        time.sleep(seconds)


def _wait_for_death(pipeline: str, feed: str, holder: Holder) -> None:
    """Waits shortly for the JVM of a dead Python. Raises LeaseHeldError if the death of both is not proven by then."""
    deadline = time.monotonic() + _DYING_SECONDS
    while not (is_proven_dead(holder.python) and (holder.jvm is None or is_proven_dead(holder.jvm))):
        if not is_proven_dead(holder.python) or time.monotonic() > deadline:
            raise _held(pipeline, feed, holder)
        time.sleep(0.1)


def _held(pipeline: str, feed: str, holder: Holder) -> LeaseHeldError:
    jvm = f" (JVM pid {holder.jvm.pid})" if holder.jvm else ""
    if is_proven_dead(holder.python) and holder.jvm:
        what = f"its pid {holder.python.pid} dead, but its JVM pid {holder.jvm.pid} still alive and able to commit"
        do = f"End process {holder.jvm.pid}, then run the same command again."
    else:
        what = f"run {holder.run_id} on {holder.python.host}, pid {holder.python.pid}{jvm}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC"
        do = "Wait until it ends, then run the same command again; nothing was changed."
    return LeaseHeldError(f"Taking the lease of {pipeline}/{feed}: expected it to be free, got {what}. {do}")


def _taken_meanwhile(pipeline: str, feed: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"Taking the lease of {pipeline}/{feed}: expected it to be free, got another run that took it first and has ended since. "
        "Run the same command again; nothing was changed."
    )


def new_holder(python: Process, jvm: Process | None, run_id: str, command: str) -> Holder:
    return Holder(python=python, jvm=jvm, run_id=run_id, command=command, since=datetime.now(UTC))
