from __future__ import annotations

from pathlib import Path

import pytest

from jobs.runtime.storage import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty one."""
    return Lake(str(tmp_path))
