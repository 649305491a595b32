"""Small questions to Parquet files of the lake, answered without Spark."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq

from jobs.batches import LandedFile
from jobs.runtime.storage import Lake


def parquet_files(lake: Lake, folder: str) -> list[LandedFile]:
    """The Parquet files that Spark wrote into a folder, by name."""
    paths = [stored.key for stored in lake.objects(folder) if stored.key.endswith(".parquet")]
    return [_described(path, lake.read(path) or b"") for path in paths]


def _described(path: str, content: bytes) -> LandedFile:
    rows = pq.ParquetFile(BytesIO(content)).metadata.num_rows
    return LandedFile(path=path, rows=rows, size=len(content), sha256=sha256(content).hexdigest())


def parquet_columns(lake: Lake, path: str, *names: str) -> list[tuple[Any, ...]]:
    """The values of some columns of a small file, row by row."""
    table = pq.read_table(BytesIO(lake.read(path) or b""), columns=list(names))
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
