"""All five pipelines as EMR steps on the embedded AWS, loaded and reported through the Data API: the same as on a laptop, row by row."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from infra.local.project_on_aws import PIPELINES
from jobs.config import load_project
from tests.command_here import tidemark_here
from tests.e2e.two_environments import AS_OF, Project, apply_dev, sources_and_aws


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Project]:
    """Every pipeline has run in both environments. E2E_WITHOUT_TERRAFORM=1 leaves Terraform out."""
    with_terraform = bool(shutil.which("terraform")) and not os.environ.get("E2E_WITHOUT_TERRAFORM")
    with sources_and_aws(tmp_path_factory.mktemp("e2e")) as made:
        for pipeline in PIPELINES:
            made.tidemark("sample", pipeline, "--day", "1", "--rows", "1000")
        with ThreadPoolExecutor(1) as operator:
            applied = operator.submit(apply_dev, made) if with_terraform else operator.submit(made.on_aws.make_dev)
            for pipeline in PIPELINES:
                tidemark_here(made.root, made.home, spark, "run", pipeline, "--as-of", AS_OF)
        applied.result()
        made.on_aws.deliver()
        with made.watching_processes(), ThreadPoolExecutor(2) as desks:
            list(desks.map(partial(made.tidemark, "submit", "--env", "dev", "--as-of", AS_OF), PIPELINES))
        yield made


def tables() -> list[tuple[str, str]]:
    found = load_project(Path(__file__).parents[2]).pipelines
    return [(name, table) for name, pipeline in found.items() for table in pipeline.tables]


@pytest.mark.parametrize(("pipeline", "table"), tables())
def test_a_curated_table_holds_the_same_rows_on_both(project: Project, pipeline: str, table: str) -> None:
    local = project.rows("local", pipeline, table)
    assert local and project.rows("dev", pipeline, table) == local


@pytest.mark.parametrize(
    "report", sorted(path.stem for path in (Path(__file__).parents[2] / "conf/reports").glob("*.sql"))
)
def test_a_report_says_the_same_on_both(project: Project, report: str) -> None:
    local, dev = project.reports(report, "local", "dev")
    assert local["rows"] and dev["rows"] == local["rows"]


def test_a_sources_password_is_in_no_bucket_argument_or_process(project: Project) -> None:
    """Logs, ledger, Delta logs and exports on S3 are searched as they are, unpacked where they are gz; archives hold our code alone."""
    password = project.password
    assert len(password) > 10
    leaks = [name for name, content in project.stored() if password.encode() in content]
    assert leaks == []
    assert password not in project.step_arguments()
    assert not any(password in line for line in project.seen_processes)
