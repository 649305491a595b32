"""One run of one pipeline, as a page: look, curate what is there (the only part that needs Spark), then load.

A feed that fails does not stop the others, and neither stops the load of what is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import InputError, TidemarkError
from jobs.run.claim import Nothing
from jobs.run.context import RunContext
from jobs.run.look import FeedLook, look
from jobs.run.publish import PublishedFeed, publish

if TYPE_CHECKING:
    from jobs.run.curate import CuratedFeed


@dataclass(frozen=True)
class RunReport:
    """What a run saw and did, feed by feed."""

    pipeline: str
    run_id: str
    looks: tuple[FeedLook, ...]
    curated: tuple[CuratedFeed, ...]
    published: tuple[PublishedFeed, ...]

    @property
    def errors(self) -> list[TidemarkError]:
        """Everything that failed, in the order of the story."""
        found = [*(seen.error for seen in self.looks), *(feed.error for feed in self.curated)]
        found += [nothing.overdue for nothing in self.idle.values()]
        return [error for error in [*found, *(feed.error for feed in self.published)] if error]

    @property
    def idle(self) -> dict[str, Nothing]:
        """Why there was nothing (more) to claim, per feed."""
        return {seen.feed: seen.nothing for seen in self.looks} | {feed.feed: feed.stopped for feed in self.curated}

    @property
    def exit_code(self) -> int:
        """0 without errors; 2 if all that failed was input or configuration; else 1."""
        if not self.errors:
            return 0
        return 2 if all(isinstance(error, InputError) for error in self.errors) else 1


def run_pipeline(context: RunContext, feeds: list[str]) -> RunReport:
    """Drains the feeds and publishes what is committed. Tidemark errors are in the report, not raised."""
    looks = [look(context, feed) for feed in feeds]
    curated = _curate(context, [seen.feed for seen in looks if seen.has_work])
    published = publish(context, feeds)
    return RunReport(context.name, context.run_id, tuple(looks), tuple(curated), tuple(published))


def _curate(context: RunContext, feeds: list[str]) -> list[CuratedFeed]:
    if not feeds:
        return []
    from jobs.run.curate import curate  # pyspark takes longer to import than a run with nothing new may take

    return [curate(context, feed) for feed in feeds]
