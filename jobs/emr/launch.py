"""What spark-submit starts on a cluster: unpacks the archives that it was given, then hands over to `jobs.spark_main`.

Uploaded as one file: it imports nothing but the standard library. Native modules cannot be imported from a zip, and conf/ is read
as files; in client mode spark-submit only puts the downloaded zips on the driver's path.
"""

from __future__ import annotations

import atexit
import importlib
import os
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

_ARCHIVE = re.compile(r"(app|dependencies)-[0-9a-f]{16}\.zip")


def unpack(folder: str) -> None:
    """Unpacks both archives into `folder`, which takes their place at the beginning of sys.path."""
    archives = {Path(path).name: path for path in sys.path if _ARCHIVE.fullmatch(Path(path).name)}
    if len(archives) != 2:
        raise SystemExit(
            f"error: Starting the step: expected app-….zip and dependencies-….zip on the path, got {sorted(archives)!r}. "
            "Give both to spark-submit as --py-files."
        )
    for path in archives.values():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    sys.path[:] = [folder, *(path for path in sys.path if path not in archives.values())]
    importlib.invalidate_caches()


def main() -> None:
    folder = tempfile.mkdtemp(prefix="tidemark-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    unpack(folder)
    os.chdir(folder)
    sys.exit(importlib.import_module("jobs.spark_main").main(sys.argv[1:]))


if __name__ == "__main__":
    main()
