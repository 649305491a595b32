"""`--archives` of spark-submit as YARN takes them: unpacked under their names in the folder where Python workers start.

Spark itself does so only for executors that YARN starts, and here there are none.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# The options of spark-submit that stand alone; every other one is followed by its value.
_FLAGS = ("--help", "-h", "--supervise", "--usage-error", "--verbose", "-v", "--version")


def without_archives(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(`arguments` of spark-submit without `--archives`, the archives). What stands after the job itself is the job's."""
    kept, archives, rest = [], list[str](), list(arguments)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest[0].partition("=")
        width = 1 if equals or option in _FLAGS else 2
        if option == "--archives":
            archives += (value if equals else rest[1]).split(",")
        else:
            kept += rest[:width]
        rest = rest[width:]
    return kept + rest, archives


def unpack_archives(archives: Sequence[str], folder: Path, s3: Any) -> None:
    """`s3://bucket/x.zip#name` as `folder`/name; without a fragment under the archive's own name.

    Raises what boto3 raises if one cannot be read, shutil.ReadError if it is no archive.
    """
    for archive in archives:
        place = urlsplit(archive)
        file_name = Path(place.path).name
        packed = folder / f".packed-{file_name}"
        s3.download_file(place.netloc, place.path.lstrip("/"), str(packed))
        shutil.unpack_archive(packed, folder / (place.fragment or file_name))
        packed.unlink()
