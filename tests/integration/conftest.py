"""A project of one pipeline for every test that asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.runtime.embedded_postgres import EmbeddedPostgres
from tests.integration.project_system import ProjectSystem


@pytest.fixture
def depot(tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres) -> ProjectSystem:
    """Pipeline `depot`, not yet configured, in a project folder of its own."""
    return ProjectSystem.of(tmp_path, spark, postgres_server)
