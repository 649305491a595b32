"""Where a project's data lies and what it connects to: the environment file, overridden by TIDEMARK_ variables.

The only reader of those variables. Secrets stay SecretStr, and no message shows any part of one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from jobs.config.aws import S3_URL
from jobs.config.problems import Problem, config_error, did_you_mean
from jobs.config.project import Project

_CONNECTION = re.compile(r"TIDEMARK_CONN_(\w+)_URL")


@dataclass(frozen=True)
class Settings:
    """`lake_url` is an absolute folder or s3://bucket/prefix. `warehouse_url` None: the embedded Postgres."""

    home: Path
    lake_url: str
    warehouse_url: SecretStr | None = None
    connection_urls: Mapping[str, SecretStr] = field(default_factory=dict)

    def connection_url(self, pipeline: str) -> SecretStr | None:
        """The pipeline's Postgres source; None where only the environment knows it."""
        return self.connection_urls.get(pipeline)


def load_settings(project: Project, variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the project's chosen environment. An empty variable counts as unset; relative folders start at the
    project's root, so that the same lake is found from every folder. Raises ConfigError with every problem there is."""
    given = {name: value for name, value in variables.items() if name.startswith("TIDEMARK_") and value}
    problems: list[Problem] = []
    home = project.root.absolute() / Path(given.get("TIDEMARK_HOME", ".tidemark")).expanduser()
    lake_url = given.get("TIDEMARK_LAKE_URL") or project.environment.lake_url or str(home / "lake")
    if "://" not in lake_url:
        lake_url = str(project.root.absolute() / Path(lake_url).expanduser())
    elif not re.fullmatch(S3_URL, lake_url):
        hint = "Name a bucket, or a folder of this machine."
        problems.append(_variable("TIDEMARK_LAKE_URL", "a folder or s3://bucket/prefix", "another address", hint))
    urls = {name: url for name, url in given.items() if name == "TIDEMARK_WAREHOUSE_URL" or _CONNECTION.fullmatch(name)}
    for name, url in urls.items():
        if not url.startswith(("postgresql://", "postgres://")):
            problems.append(_variable(name, "postgresql://…", "another address (not shown: it may hold a secret)"))
    variable_of = {pipeline: f"TIDEMARK_CONN_{pipeline.upper()}_URL" for pipeline in project.pipelines}
    problems += _misspelt_connections(urls, set(variable_of.values()))
    if problems:
        raise config_error(problems)
    secrets = {name: SecretStr(url) for name, url in urls.items()}
    connections = {pipeline: secrets[name] for pipeline, name in variable_of.items() if name in secrets}
    return Settings(home, lake_url.rstrip("/"), secrets.get("TIDEMARK_WAREHOUSE_URL"), connections)


def _misspelt_connections(names: Mapping[str, str], known: set[str]) -> list[Problem]:
    """A connection close to a pipeline's own, which would silently not be used. Those of other projects are let be."""
    return [
        _variable(name, "the name of a pipeline in it", name, hint)
        for name in names
        if (match := _CONNECTION.fullmatch(name)) and name not in known
        if (hint := did_you_mean(match[1], [name[len("TIDEMARK_CONN_") : -len("_URL")] for name in known]))
    ]


def _variable(name: str, expected: str, got: str, hint: str = "") -> Problem:
    return Problem("environment variables", None, name, expected, got, hint)
