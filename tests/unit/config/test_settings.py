"""The TIDEMARK_ variables over the environment file; secrets never in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.config import Project, load_project, load_settings
from jobs.config.problems import Problem
from jobs.errors import ConfigError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project() -> Project:
    return load_project(ROOT)


def faulty(project: Project, **variables: str) -> tuple[ConfigError, list[str]]:
    """The error, and the variables that it names."""
    with pytest.raises(ConfigError) as caught:
        load_settings(project, variables)
    return caught.value, [problem.key for problem in caught.value.problems if isinstance(problem, Problem)]


def test_home_and_lake_lie_below_the_root_unless_a_variable_says_otherwise(project: Project) -> None:
    settings = load_settings(project, {"TIDEMARK_HOME": ""})
    assert (settings.home, settings.lake_url) == (ROOT / ".tidemark", str(ROOT / ".tidemark/lake"))


def test_the_lake_follows_home(project: Project, tmp_path: Path) -> None:
    settings = load_settings(project, {"TIDEMARK_HOME": str(tmp_path)})
    assert (settings.home, settings.lake_url) == (tmp_path, str(tmp_path / "lake"))


def test_relative_folders_start_at_the_root_from_wherever_the_command_runs(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(project, {"TIDEMARK_HOME": "h", "TIDEMARK_LAKE_URL": "l/"})
    assert (settings.home, settings.lake_url) == (ROOT / "h", str(ROOT / "l"))


def test_the_lake_of_the_environment_file_gives_way_to_the_variable(project: Project) -> None:
    environment = project.environment.model_copy(update={"lake_url": "s3://bucket-of-file/p/"})
    on_s3 = Project(project.root, project.pipelines, environment)
    assert load_settings(on_s3, {}).lake_url == "s3://bucket-of-file/p"
    assert load_settings(on_s3, {"TIDEMARK_LAKE_URL": "s3://mine/"}).lake_url == "s3://mine"


@pytest.mark.parametrize(
    "url", ["gs://bucket", "s3a://bucket", "s3://", "s3://B", "file:///x", "s3://key:secret@bucket"]
)
def test_a_lake_that_is_no_folder_and_no_bucket_is_refused(project: Project, url: str) -> None:
    error, variables = faulty(project, TIDEMARK_LAKE_URL=url)
    assert variables == ["TIDEMARK_LAKE_URL"]
    assert "secret" not in str(error)


def test_connections_and_warehouse_come_from_their_variables(project: Project) -> None:
    url = "postgresql://u:hunter2@h/d"
    settings = load_settings(
        project, {"TIDEMARK_CONN_STACKOVERFLOW_URL": url, "TIDEMARK_WAREHOUSE_URL": "postgres:///w"}
    )
    connection = settings.connection_url("stackoverflow")
    assert connection is not None and connection.get_secret_value() == url
    assert settings.connection_url("coupbot") is None
    assert settings.warehouse_url is not None and settings.warehouse_url.get_secret_value() == "postgres:///w"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "hunter2", "hunter2:x@h/d", " postgresql://hunter2@h/d"])
def test_a_refused_address_is_never_shown(project: Project, url: str) -> None:
    error, variables = faulty(project, TIDEMARK_CONN_COUPBOT_URL=url, TIDEMARK_WAREHOUSE_URL=url)
    assert variables == ["TIDEMARK_CONN_COUPBOT_URL", "TIDEMARK_WAREHOUSE_URL"]
    assert "hunter2" not in str(error) + repr(error) + repr(error.problems)
    assert error.__cause__ is None and error.__context__ is None


def test_a_misspelt_pipeline_in_a_variable_is_not_silently_ignored(project: Project) -> None:
    error, variables = faulty(project, TIDEMARK_CONN_STACKOVERFLW_URL="postgresql:///x")
    assert variables == ["TIDEMARK_CONN_STACKOVERFLW_URL"]
    assert "Did you mean 'STACKOVERFLOW'?" in str(error)


def test_the_connection_of_another_project_is_let_be(project: Project) -> None:
    assert load_settings(project, {"TIDEMARK_CONN_PAYROLL_URL": "postgresql:///x"}).connection_urls == {}
