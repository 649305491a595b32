"""One embedded AWS for all EMR tests; each makes clusters of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.local_aws.emr_account import EmrAccount, running_account


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmrAccount]:
    with running_account(tmp_path_factory.mktemp("local_aws")) as running:
        yield running
