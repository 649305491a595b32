"""The launcher makes one folder of the archives on its path, in a Python that has nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jobs.emr import launch

MAIN = """
import os, pathlib, sys

def main(arguments):
    import brought
    print(arguments, pathlib.Path("conf/told.txt").read_text(), brought.__file__ == os.path.abspath("brought.py"))
    return 7
"""


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def launched(tmp_path: Path, *archives: Path) -> subprocess.CompletedProcess[str]:
    """As spark-submit does: the archives on PYTHONPATH, temporary files below the step's own folder."""
    (tmp_path / "tmp").mkdir()
    path = ":".join(map(str, archives))
    command = [sys.executable, "-S", launch.__file__, "run", "depot"]
    variables = {"PYTHONPATH": path, "TMPDIR": str(tmp_path / "tmp")}
    return subprocess.run(command, env=variables, capture_output=True, text=True, cwd=tmp_path)


@pytest.fixture
def archives(tmp_path: Path) -> tuple[Path, Path]:
    app = {"jobs/__init__.py": "", "jobs/spark_main.py": MAIN, "conf/told.txt": "conf was read"}
    return (
        zipped(tmp_path / "app-0123456789abcdef.zip", app),
        zipped(tmp_path / "dependencies-0123456789abcdef.zip", {"brought.py": ""}),
    )


def test_the_job_runs_on_unpacked_files_and_its_exit_code_is_the_steps(
    tmp_path: Path, archives: tuple[Path, Path]
) -> None:
    done = launched(tmp_path, *archives)
    assert (done.stdout, done.returncode) == ("['run', 'depot'] conf was read True\n", 7), done.stderr


def test_nothing_is_left_of_the_unpacked_archives(tmp_path: Path, archives: tuple[Path, Path]) -> None:
    launched(tmp_path, *archives)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_missing_archive_is_named(tmp_path: Path, archives: tuple[Path, Path]) -> None:
    done = launched(tmp_path, archives[0])
    assert done.returncode == 1
    assert done.stderr.startswith("error: Starting the step: expected app-….zip and dependencies-….zip on the path")
