"""The manifest that COPY reads exported files by, and the order of the columns in them, since COPY of Parquet goes by position.

Only the end of each file is read, where Parquet keeps its schema: the rows go from S3 to Redshift without passing here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import ConfigError
from jobs.runtime.storage import Lake
from jobs.warehouse.exported_rows import refusal
from jobs.warehouse.statements import BATCH
from jobs.warehouse.warehouse import ExportedFiles

_READERS = 8
_TAIL_BYTES = 8  # of the footer: its length in 4 bytes, then PAR1


@dataclass(frozen=True)
class CopyFile:
    """A file of the export; `size` in bytes, `columns` in their order."""

    path: str
    size: int
    columns: tuple[str, ...]


def copy_files(files: ExportedFiles) -> list[CopyFile]:
    """The files, all with the same columns in the same order: those that are loaded, and perhaps `_batch`.

    Raises:
        ConfigError: the lake is no bucket.
        LoadRefusedError: a file is missing, is no Parquet, or has other columns.
    """
    if not files.lake.is_s3:
        raise ConfigError(
            f"Loading {files.table}: expected a lake on S3, where Redshift can read, got {files.lake.root}. "
            "Set lake_url of the environment, and unset TIDEMARK_LAKE_URL."
        )
    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(lambda path: _copy_file(files.lake, files.table, path), files.paths))
    for file in found:
        _require_columns(files, file, found[0].columns)
    return found


def put_copy_manifest(files: ExportedFiles, found: Iterable[CopyFile]) -> str:
    """The manifest's address. It is named by its content, beside the export's own: a second loader finds it there."""
    entries = [
        {"url": files.lake.uri(file.path), "mandatory": True, "meta": {"content_length": file.size}} for file in found
    ]
    content = json.dumps({"entries": entries}).encode()
    path = f"{files.folder}/copy/{sha256(content).hexdigest()[:16]}.manifest"
    files.lake.create(path, content)
    return files.lake.uri(path)


def _copy_file(lake: Lake, table: str, path: str) -> CopyFile:
    stored = lake.head(path)
    if stored is None:
        raise refusal(table, path, "the exported file to be there", "none")
    with closing(lake.open(path)) as file:
        length = int.from_bytes(_end_of(file, stored.size, _TAIL_BYTES)[:4], "little")
        footer = _end_of(file, stored.size, length + _TAIL_BYTES)
    try:
        return CopyFile(path, stored.size, tuple(pq.read_schema(pa.BufferReader(footer)).names))
    except pa.ArrowException as error:
        raise refusal(table, path, "a Parquet file", repr(str(error))) from error


def _end_of(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(size - length, 0))
    return bytes(file.read(length))


def _require_columns(files: ExportedFiles, file: CopyFile, order: tuple[str, ...]) -> None:
    missing = [name for name in files.columns if name not in file.columns]
    foreign = [name for name in file.columns if name not in files.columns and name != BATCH]
    if missing or foreign or len(set(file.columns)) < len(file.columns):
        expected = f"columns {list(files.columns)[:5]}" if not missing else f"columns {missing[:5]}"
        raise refusal(files.table, file.path, expected, "a file without them" if missing else f"also {foreign[:5]}")
    if file.columns != order:
        raise refusal(
            files.table, file.path, f"the columns in the order {list(order)[:5]}", f"{list(file.columns)[:5]}"
        )
