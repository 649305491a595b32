"""The whole of conf/, validated before anything is read: every problem at once, with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from jobs.config.document import Document, read_document
from jobs.config.environment import Environment
from jobs.config.feed_checks import feed_faults
from jobs.config.pipeline import Pipeline
from jobs.config.problems import Fault, Problem, config_error, did_you_mean, listed, shown
from jobs.config.table_checks import table_faults
from jobs.config.validation import readable_part, validated
from jobs.errors import ConfigError, UsageError

Model = TypeVar("Model", bound=BaseModel)

DEFAULT_ENVIRONMENT = "local"

_PIPELINES = "conf/pipelines"


@dataclass(frozen=True)
class Project:
    """What conf/ says. `pipelines` by name; `environment` is the chosen one."""

    root: Path
    pipelines: Mapping[str, Pipeline]
    environment: Environment

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name. Raises UsageError."""
        if name not in self.pipelines:
            raise _unknown("pipeline", name, list(self.pipelines))
        return self.pipelines[name]

    def pipeline_of_report(self, name: str) -> Pipeline:
        """The pipeline that lists the report. Raises UsageError."""
        owners = {report: pipeline for pipeline in self.pipelines.values() for report in pipeline.reports}
        if name not in owners:
            raise _unknown("report", name, list(owners))
        return owners[name]

    def report_sql(self, name: str) -> str:
        """The text of conf/reports/<name>.sql, of a report that a pipeline lists. Raises UsageError."""
        self.pipeline_of_report(name)
        return (self.root / "conf/reports" / f"{name}.sql").read_text(encoding="utf-8")


def load_project(root: Path, environment: str | None = None, pipeline: str | None = None) -> Project:
    """Pipelines, environments and report names below `root`/conf. Raises ConfigError with every problem there is.

    With `pipeline`, what is wrong with the file of another one is no matter, and that one is left out: it stops nobody else's run.
    """
    project, problems = read_project(root, environment)
    mine = [each for each in problems if pipeline is None or _pipeline_of(each) in (None, pipeline)]
    if mine or project is None:
        raise config_error(mine or problems)
    return project


def read_project(root: Path, environment: str | None = None) -> tuple[Project | None, list[Problem]]:
    """(What of `root`/conf is sound, everything that is not); no project without a sound environment."""
    problems: list[Problem] = []
    pipelines: dict[str, Pipeline] = {}
    documents: dict[str, Document] = {}
    for name, document in _documents(root, _PIPELINES, problems):
        pipeline, found = validated(Pipeline, document)
        problems += found
        pipeline = pipeline or readable_part(document)
        faults = (*feed_faults(pipeline, document), *table_faults(pipeline, document))
        problems += [document.problem(fault) for fault in faults]
        pipelines[name], documents[name] = pipeline, document
    problems += _report_problems(root, pipelines, documents)
    environments, found = _environments(root)
    problems += found
    chosen = environment or DEFAULT_ENVIRONMENT
    if chosen not in environments:
        remedy = (
            did_you_mean(chosen, environments) or "`make env ENV=…` writes the file of one that Terraform has made."
        )
        expected = f"an environment ({listed(environments)})"
        problems.append(Problem("conf/environments", None, "", expected, repr(chosen), remedy))
    selected = environments.get(chosen)
    broken = {_pipeline_of(problem) for problem in problems}
    sound = {name: pipeline for name, pipeline in pipelines.items() if name not in broken}
    return (Project(root, sound, selected) if selected else None), problems


def _pipeline_of(problem: Problem) -> str | None:
    """The pipeline whose file has the problem; None for any other file."""
    folder, _, file = problem.file.rpartition("/")
    return file.removesuffix(".yaml") if folder == _PIPELINES and file else None


def find_root(start: Path) -> Path:
    """The nearest folder upwards from `start`, itself included, that holds conf/pipelines. Raises ConfigError."""
    folders = (start.absolute(), *start.absolute().parents)
    for folder in folders:
        if (folder / "conf/pipelines").is_dir():
            return folder
    raise ConfigError(
        f"Looking for a project: expected a folder conf/pipelines in {folders[0]} or above it, got none up to {folders[-1]}. "
        "Run the command inside a project."
    )


def _environments(root: Path) -> tuple[dict[str, Environment | None], list[Problem]]:
    """Name → environment; None for one with problems."""
    problems: list[Problem] = []
    environments: dict[str, Environment | None] = {}
    for name, document in _documents(root, "conf/environments", problems):
        environments[name], found = validated(Environment, document)
        problems += found
        named = document.at("environment")
        if named is not None and named != name:
            fault = Fault(("environment",), f"{name!r}, the file's name", shown(named), "Rename the one or the other.")
            problems.append(document.problem(fault))
    return environments, problems


def _documents(root: Path, folder: str, problems: list[Problem]) -> Iterator[tuple[str, Document]]:
    """The YAML files of a folder, by name; what is wrong with them as files goes to `problems`."""
    if not (root / folder).is_dir():
        problems.append(Problem(folder, None, "", "this folder", "none", f"Is {root} the project's folder?"))
        return
    paths = sorted(path for path in (root / folder).iterdir() if not path.name.startswith("."))
    if not any(path.suffix == ".yaml" for path in paths):
        problems.append(Problem(folder, None, "", "at least one .yaml file", "none"))
    for path in paths:
        file = f"{folder}/{path.name}"
        if path.suffix != ".yaml":
            if path.suffix == ".yml":
                problems.append(Problem(file, None, "", "a name that ends in .yaml", repr(path.name), "Rename it."))
            continue
        document, found = read_document(path, file)
        problems += found
        if document.value:
            yield path.stem, document


def _report_problems(
    root: Path, pipelines: Mapping[str, Pipeline], documents: Mapping[str, Document]
) -> Iterator[Problem]:
    """Reports without a file, and reports that are listed twice: a report belongs to one pipeline."""
    files = {path.stem for path in (root / "conf/reports").glob("*.sql")}
    first: dict[str, str] = {}
    for name, pipeline in pipelines.items():
        for index, report in enumerate(pipeline.reports):
            path = ("reports", index)
            if report not in files:
                expected = f"a file conf/reports/{report}.sql"
                yield documents[name].problem(Fault(path, expected, "none", did_you_mean(report, files)))
            if report in first:
                expected = f"a report that no other line lists, as pipeline {first[report]!r} does"
                yield documents[name].problem(Fault(path, expected, repr(report), "Remove one."))
            first.setdefault(report, name)


def _unknown(kind: str, name: str, known: list[str]) -> UsageError:
    hint = did_you_mean(name, known) or "Name one of those."
    return UsageError(
        f"Looking for {kind} {name!r}: expected one of {listed(sorted(known))}, got an unknown name. {hint}"
    )
