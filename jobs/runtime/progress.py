"""What a person sees while a run works: a bar on a terminal, plain lines in a log; always on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress


class Steps(Protocol):
    """One piece of long work with a known number of steps."""

    def done(self, what: str) -> None:
        """One more step is done; `what` comes next."""


class Waiting(Protocol):
    """Work that goes on elsewhere."""

    def now(self, state: str) -> None:
        """What is known of it at this moment."""


class Progress:
    """Bars where stderr is a terminal, else one line per step."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    @contextmanager
    def waiting(self, title: str) -> Iterator[Waiting]:
        """Work of unknown length that goes on elsewhere: its state beside a clock on a terminal, else one line per change."""
        if not self._console.is_terminal:
            yield _StateLines(self, title)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.fields[title]}"),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with RichProgress(*columns, console=self._console, transient=True) as bars:
            yield _StateBar(bars, bars.add_task("", total=None, title=title))

    @contextmanager
    def steps(self, title: str, total: int, first: str) -> Iterator[Steps]:
        """Work of `total` steps, of which `first` comes first."""
        if not self._console.is_terminal:
            yield _Lines(self, title, first)
            return
        columns = (
            TextColumn("{task.fields[title]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with RichProgress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(first, total=total, title=title)
            yield _Bar(bars, task)


class _Bar:
    def __init__(self, bars: RichProgress, task: object) -> None:
        self._bars, self._task = bars, task

    def done(self, what: str) -> None:
        self._bars.update(self._task, advance=1, description=what)  # type: ignore[arg-type]


class _Lines:
    def __init__(self, progress: Progress, title: str, first: str) -> None:
        self._progress, self._title = progress, title
        self.done(first)

    def done(self, what: str) -> None:
        if what:
            self._progress.say(f"{self._title}: {what}")


class _StateBar:
    def __init__(self, bars: RichProgress, task: object) -> None:
        self._bars, self._task = bars, task

    def now(self, state: str) -> None:
        self._bars.update(self._task, description=state)  # type: ignore[arg-type]


class _StateLines:
    def __init__(self, progress: Progress, title: str) -> None:
        self._progress, self._title, self._last = progress, title, ""

    def now(self, state: str) -> None:
        if state != self._last:
            self._progress.say(f"{self._title}: {state}")
            self._last = state
