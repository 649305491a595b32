"""What a sample is delivered to: an empty lake, and databases that no other test uses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.storage import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def url(postgres_server: EmbeddedPostgres, request: pytest.FixtureRequest) -> str:
    return postgres_server.url(database(request, "first"))


@pytest.fixture
def other_url(postgres_server: EmbeddedPostgres, request: pytest.FixtureRequest) -> str:
    return postgres_server.url(database(request, "second"))


def database(request: pytest.FixtureRequest, which: str) -> str:
    return "t" + hashlib.sha256(f"{request.node.nodeid} {which}".encode()).hexdigest()[:16]
