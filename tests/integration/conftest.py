"""A project of one pipeline for every test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import jobs.transforms
from jobs.config import derived_checks
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from tests.integration.project_system import ProjectSystem


@pytest.fixture
def depot(tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres) -> ProjectSystem:
    """Pipeline `depot`, not yet configured, in a project folder of its own."""
    return ProjectSystem.of(tmp_path, spark, postgres_server)


@pytest.fixture
def own_transforms() -> Iterator[None]:
    """The modules of transforms_of_tests/ are modules of `jobs.transforms`, for configuration and at run time."""
    place = str(Path(__file__).parent / "transforms_of_tests")
    jobs.transforms.__path__.append(place)
    derived_checks._functions.cache_clear()
    yield
    jobs.transforms.__path__.remove(place)
    derived_checks._functions.cache_clear()
