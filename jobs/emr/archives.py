"""The two archives that a step runs: our code with conf/, and what it imports. The same content gives the same bytes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jobs
from jobs.emr.requirements import step_requirements
from jobs.errors import PackagingError
from jobs.runtime.progress import Progress
from jobs.versions import PYTHON

PLATFORM = "x86_64-manylinux_2_28"
"""Amazon Linux 2023, which EMR's nodes run, has glibc 2.34."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold

# Compiled, tested and described by others: nothing of it is imported. It is a tenth of the size.
_UNUSED_FOLDERS = {"__pycache__", "bin", "include", "tests"}
_UNUSED_FILES = {".lock", "RECORD"}  # uv's own; RECORD lists what has been taken away here


_COMPRESSION = 3  # of 370 MB of libraries: 134 MB in 14 s; 6 makes 126 MB in 28 s


@dataclass(frozen=True)
class Archive:
    """A file that is uploaded as `name`, which holds the digest of its content. `size` in bytes."""

    path: Path
    name: str
    size: int


def app_archive(root: Path, folder: Path) -> Archive:
    """The package `jobs` as it is imported here, and `root`/conf, as a zip in `folder`."""
    package = Path(jobs.__file__).parent
    files = [(f"jobs/{file.relative_to(package).as_posix()}", file) for file in package.rglob("*.py")]
    files += [(file.relative_to(root).as_posix(), file) for file in (root / "conf").rglob("*") if _is_visible(file)]
    path = folder / "app.zip"
    _write_zip(path, files)
    return named(path, "app", ".zip")


def dependencies_archive(root: Path, home: Path, progress: Progress) -> Archive:
    """The installed packages of `root`/requirements/runtime.txt for the cluster's Python and platform, whatever this machine is.

    Kept below `home`/emr by what was asked for: it is built once. Raises PackagingError.
    """
    locked = root / "requirements/runtime.txt"
    if not locked.is_file():
        raise PackagingError(
            f"Packaging a step: expected {locked}, got no such file. Submit from a checkout of the project."
        )
    wanted = step_requirements(locked.read_text(encoding="utf-8"))
    asked = hashlib.sha256("\n".join([PLATFORM, _python(), *sorted(_UNUSED_FOLDERS), wanted]).encode()).hexdigest()
    kept = home / "emr" / f"dependencies-of-{asked[:16]}.zip"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with (kept.parent / "building.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # of two submitters one builds, and the other takes what was built
        if not kept.is_file():
            with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as scratch:
                _build(root, wanted, Path(scratch), kept, progress)
    return named(kept, "dependencies", ".zip")


def named(path: Path, kind: str, suffix: str) -> Archive:
    """The file as an archive whose name says its content: `<kind>-<16 digits of its SHA-256><suffix>`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Archive(path, f"{kind}-{digest[:16]}{suffix}", path.stat().st_size)


def _build(root: Path, wanted: str, scratch: Path, kept: Path, progress: Progress) -> None:
    uv, requirements, installed, built = _uv(root), scratch / "wanted.txt", scratch / "installed", scratch / "built.zip"
    requirements.write_text(wanted, encoding="utf-8")
    with progress.steps("dependencies", 2, f"installing for Python {_python()} on {PLATFORM}") as steps:
        _install(uv, requirements, installed)
        steps.done("archiving")
        files = [(file.relative_to(installed).as_posix(), file) for file in installed.rglob("*")]
        _write_zip(built, [(name, file) for name, file in files if _is_used(name)])
        steps.done("")
    built.replace(kept)


def _install(uv: str, requirements: Path, target: Path) -> None:
    """From uv's cache if all is there, else from the index: the hashes say what is right, so packaging needs no network where
    the same packages were installed before."""
    options = ["--python", sys.executable, "--python-platform", PLATFORM, "--python-version", _python(), "--quiet"]
    options += ["--only-binary", ":all:", "--no-deps", "--require-hashes", "--link-mode", "copy"]
    command = [uv, "pip", "install", "--target", str(target), *options, "-r", str(requirements)]
    told = ""
    for place in (["--offline"], []):
        shutil.rmtree(target, ignore_errors=True)
        done = subprocess.run([*command, *place], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            return
        told = " ".join(done.stderr.split())[-1000:]
    raise PackagingError(
        f"Installing what a step imports: expected a wheel of each package for Python {_python()} on {PLATFORM}, got {told!r}. "
        "Look whether the package index can be reached, then run the same command again."
    )


def _uv(root: Path) -> str:
    """The project's own uv, else the one on PATH."""
    own = root / ".tools/bin/uv"
    found = str(own) if os.access(own, os.X_OK) else shutil.which("uv")
    if found is None:
        raise PackagingError(
            f"Packaging a step: expected uv in {own} or on PATH, got none. Run `make setup`, which brings it."
        )
    return found


def _write_zip(path: Path, files: Iterable[tuple[str, Path]]) -> None:
    """In the order of names, with one time and one mode for all."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in sorted(files):
            if not file.is_file():
                continue
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr, entry.create_system = 0o644 << 16, 3  # Unix, also where it is made on something else
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, _COMPRESSION)


def _is_visible(file: Path) -> bool:
    return not file.name.startswith(".")


def _is_used(name: str) -> bool:
    *folders, file = name.split("/")
    return not _UNUSED_FOLDERS.intersection(folders) and file not in _UNUSED_FILES


def _python() -> str:
    return ".".join(map(str, PYTHON))
