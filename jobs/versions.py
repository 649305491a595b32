"""The versions that must agree, in one place, and the check that this process runs on them.

pyproject.toml, requirements/*.in and the EMR release repeat some of them; tests/unit/runtime/test_versions.py compares.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from jobs.errors import RuntimeMismatchError

PYTHON = (3, 11)
PYTHON_BELOW = (3, 14)
SPARK = "4.0.2"
DELTA = "4.0.0"
SCALA = "2.13"
JAVA_MAJORS = (17, 21)
EMR_RELEASE = "emr-spark-8.0.0"
"""The release that has these; the environments name it too."""
DUCKDB = "1.5.5"

PACKAGES = {
    "pyspark": SPARK,
    "delta-spark": DELTA,
    "duckdb": DUCKDB,
}


@dataclass(frozen=True)
class Jar:
    """One Maven artifact; `sha256` of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


DELTA_JARS = (
    Jar(
        "io.delta",
        f"delta-spark_{SCALA}",
        DELTA,
        "538511702aae0ef6973a6a70af3d4543c9009f8edbed786a00737e2d3cd7f04e",
    ),
    Jar("io.delta", "delta-storage", DELTA, "9bdb9fb450f1e119eba53feb427f331b0d09072d26485b8273883ad72c9a2e1d"),
    Jar("org.antlr", "antlr4-runtime", "4.13.1", "54665d2838cc66458343468efc539e454fc95b46a8a04b13c6ac43fc9be63505"),
)
"""What delta-spark needs at run time beyond Spark and Scala themselves."""


def installed_versions() -> dict[str, str]:
    """Versions of Python and of every package in PACKAGES; 'missing' for one that is not installed."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def check_runtime(found: Mapping[str, str] | None = None) -> None:
    """Refuses a Python, Spark, Delta or DuckDB that is not the pinned one; default: what is installed here.

    `found` maps a name ('python' or one of PACKAGES) to its version; names that are absent are not checked, so that a cluster
    job can hand in only what its session says. EMR's rebuilds of a version (4.0.2-amzn-0) count as that version.

    Raises: RuntimeMismatchError, naming all that differ.
    """
    found = installed_versions() if found is None else found
    wrong = [
        f"{name} {PACKAGES[name]} (got {got})"
        for name, got in found.items()
        if name in PACKAGES and not _is_version(got, PACKAGES[name])
    ]
    if "python" in found and not _is_python(found["python"]):
        wrong.insert(0, f"Python {_dotted(PYTHON)} or newer, below {_dotted(PYTHON_BELOW)} (got {found['python']})")
    if wrong:
        raise RuntimeMismatchError(
            f"Starting Tidemark: expected {', '.join(wrong)}. Run `make setup`, or on a cluster use the release that "
            "jobs/versions.py names."
        )


def _is_version(got: str, pinned: str) -> bool:
    return got == pinned or got.startswith((f"{pinned}-amzn-", f"{pinned}+amzn."))


def _is_python(got: str) -> bool:
    parts = tuple(int(part) for part in got.split(".")[:2])
    return PYTHON <= parts < PYTHON_BELOW


def _dotted(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))
