"""What the whole suite shares, each started at its first use: one Spark session and one Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from jobs.runtime.embedded_postgres import EmbeddedPostgres, running_postgres

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session that local runs get, with two cores and temporary folders."""
    from jobs.runtime.spark_session import start_spark  # tests without Spark do not wait for its import

    session = start_spark("tests", cores=2, memory_gb=2, scratch=tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server; `url(database)` makes the database. Tests that share it use databases and roles of their own,
    also each time that a fixture of a module is made: two workers that share a module's tests make it more than once."""
    with running_postgres(tmp_path_factory.mktemp("postgres_server")) as server:
        yield server
