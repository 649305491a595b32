"""What the integration tests share: one real Postgres for the whole suite, in a temporary home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.runtime.embedded_postgres import EmbeddedPostgres, running_postgres


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running server; `url(database)` makes the database. Tests that share it use databases and roles of their own."""
    with running_postgres(tmp_path_factory.mktemp("postgres_server")) as server:
        yield server
