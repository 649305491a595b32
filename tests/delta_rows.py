"""What a Delta table holds, read without Spark and without the product: the oracle of tests that look into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder


def delta_rows(
    table: str | Path, version: int | None = None, storage: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """The rows of the table, in no order; `storage` says how S3 is reached. By way of DataFusion: `to_pyarrow_table` refuses tables with deletion vectors (1.6)."""
    opened = DeltaTable(table, version=version, storage_options=storage)
    found = QueryBuilder().register("rows", opened).execute("SELECT * FROM rows").read_all()
    return pa.table(found).to_pylist()
