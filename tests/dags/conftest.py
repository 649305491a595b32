"""A project that is only parsed, and one on the embedded AWS whose DAGs run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.project_on_aws import PIPELINES, ROOT
from tests.dags.airflow_project import AirflowProject
from tests.dags.parsing import Parsed, parse
from tests.e2e.two_environments import two_environments


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's, for processes that only parse."""
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A project with this one's conf/ and an environment dev, for tests to change."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("dev.yaml", "prod.yaml"))
    shutil.copy(Path(__file__).parent / "dev.yaml", tmp_path / "conf/environments")
    shutil.copytree(ROOT / "orchestration", tmp_path / "orchestration", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".airflowignore", tmp_path)
    return tmp_path


@pytest.fixture
def parsed(home: Path) -> Callable[..., Parsed]:
    """What Airflow finds in a project; `variables` besides."""
    return lambda root, **variables: parse(root, home, variables)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowProject]:
    """The first day of every source is delivered; nothing has run."""
    folder = tmp_path_factory.mktemp("dags")
    with two_environments(folder) as project:
        for pipeline in PIPELINES:
            project.tidemark("sample", pipeline, "--day", "1", "--rows", "200")
        project.on_aws.deliver()
        made = AirflowProject(project, folder / "airflow")
        made.migrate()
        yield made
