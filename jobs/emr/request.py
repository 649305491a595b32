"""What is asked of EMR: one run of one pipeline or of some of its feeds, and the names and arguments by which it is found again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from jobs.emr.package import Package
from jobs.errors import UsageError

_RUN_ID = re.compile(r"[A-Za-z0-9._:+-]{1,100}")
_OF, _AND = "of ", "+"
_LAUNCHER = re.compile(r"s3://\S+/launch-[0-9a-f]{16}\.py")


@dataclass(frozen=True)
class RunRequest:
    """`feeds`: those that were chosen; none: all. `options`: what follows them on the command line of `tidemark <command>`, without the
    environment and the run id.

    `is_named`: the run id was given, so that only a step of this id is meant.
    """

    environment: str
    pipeline: str
    options: tuple[str, ...]
    run_id: str
    is_named: bool
    feeds: tuple[str, ...] = ()
    command: Literal["run", "backfill"] = "run"

    @property
    def cluster_name(self) -> str:
        return f"{clusters_of(self.environment, self.pipeline)}{self.run_id}"

    def step_name(self, attempt: int) -> str:
        """Different feeds of one run are different steps: they may go side by side."""
        words = [f"{steps_of_pipeline(self.pipeline)}{self.run_id}"]
        words += [_OF + _AND.join(self.feeds)] if self.feeds else []
        words += [f"attempt {attempt}"] if attempt > 1 else []
        return " ".join(words)

    def attempt_of(self, step_name: str) -> int | None:
        """Which attempt of this run the step of that name is, from 1; None if it is of another run."""
        first, _, attempt = step_name.partition(" attempt ")
        if first != self.step_name(1) or not (attempt or "1").isdigit():
            return None
        return int(attempt or 1)

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the launcher is given."""
        return (*self._without_run_id, "--run-id", self.run_id)

    def asks_the_same(self, step_arguments: Sequence[str]) -> bool:
        """Whether a step of these arguments does what this request asks for, whatever its run id and version of the code."""
        given = list(step_arguments)
        launcher = next((at for at, argument in enumerate(given) if _LAUNCHER.fullmatch(argument)), len(given))
        return tuple(given[launcher + 1 : -2]) == self._without_run_id and given[-2] == "--run-id"

    @property
    def _without_run_id(self) -> tuple[str, ...]:
        return (self.command, self.pipeline, *self.feeds, *self.options, "--env", self.environment)


def run_id_of(step_name: str) -> str:
    """The run that a step of ours belongs to."""
    return step_name.split(" ")[2]


def feeds_of(step_name: str) -> tuple[str, ...]:
    """The feeds that a step of ours was given; none: all of its pipeline."""
    words = step_name.split(" ")[3:]
    return tuple(words[1].split(_AND)) if words[:1] == [_OF.strip()] else ()


def clusters_of(environment: str, pipeline: str) -> str:
    """How the names of a pipeline's transient clusters begin."""
    return f"tidemark-{environment} {pipeline} "


def steps_of_pipeline(pipeline: str) -> str:
    """How the names of a pipeline's steps begin."""
    return f"tidemark {pipeline} "


def new_run_id(as_of: datetime | None) -> str:
    """An id that sorts by the run's time. Not by that time alone: a later run of the same time takes what has come since."""
    return f"{as_of or datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def require_run_id(given: str) -> str:
    """`given`, if names of clusters and steps can hold it. Raises UsageError."""
    if not _RUN_ID.fullmatch(given):
        raise UsageError(
            f"Reading --run-id: expected up to 100 letters, digits, '.', '_', ':', '+' and '-', got {given!r}. Choose another id."
        )
    return given


def step_config(request: RunRequest, attempt: int, package: Package) -> dict[str, Any]:
    """EMR's StepConfig. In client mode the driver is the step's own process: a cancelled step takes it along.

    --py-files brings both archives to the driver, --archives brings them unpacked to the executors. A failed step ends no cluster:
    others may run beside it, and a transient cluster ends after its only step anyhow.
    """
    arguments = ["spark-submit", "--deploy-mode", "client", "--name", request.step_name(attempt)]
    arguments += ["--py-files", f"{package.app},{package.dependencies}"]
    arguments += ["--archives", f"{package.dependencies}#dependencies,{package.app}#app"]
    arguments += ["--conf", "spark.executorEnv.PYTHONPATH=app:dependencies"]
    arguments += [package.launcher, *request.arguments]
    return {
        "Name": request.step_name(attempt),
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": arguments},
    }
