"""Small questions to Parquet files of the lake, answered without Spark."""

from __future__ import annotations

from io import BytesIO

import pyarrow.parquet as pq

from jobs.runtime.storage import Lake


def parquet_column(lake: Lake, path: str, name: str) -> list[str]:
    """The values of one text column of a small file."""
    column: list[str] = pq.read_table(BytesIO(lake.read(path) or b""), columns=[name])[name].to_pylist()
    return column
