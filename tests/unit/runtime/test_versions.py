"""jobs/versions.py is the one place: everything that repeats a version says the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from jobs.errors import RuntimeMismatchError
from jobs.versions import (
    DELTA,
    DELTA_JARS,
    PACKAGES,
    PYTHON,
    PYTHON_BELOW,
    SCALA,
    check_runtime,
    installed_versions,
)

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RIGHT = {"python": "3.12", **PACKAGES}


def requirements(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [line.split(" ")[0] for line in lines if re.match(r"[A-Za-z]", line)]


def test_pyproject_allows_the_pinned_range_of_pythons() -> None:
    low, below = (".".join(map(str, version)) for version in (PYTHON, PYTHON_BELOW))
    assert PYPROJECT["project"]["requires-python"] == f">={low},<{below}"


def test_pyproject_and_runtime_in_name_the_same_packages() -> None:
    assert requirements("runtime.in") == PYPROJECT["project"]["dependencies"]


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_locked_files_hold_the_pinned_versions(name: str) -> None:
    locked = dict(line.split("==") for line in requirements(name))
    assert {package: locked[package] for package in PACKAGES} == PACKAGES


@pytest.mark.parametrize("name", ["build.txt", "runtime.txt", "dev.txt"])
def test_locked_files_name_no_index_and_no_folder(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    assert "--hash=sha256:" in text
    assert not re.search(r"://|--(extra-)?index|find-links|file:|(^|\s)/", text)


def test_both_locked_files_agree() -> None:
    assert set(requirements("runtime.txt")) <= set(requirements("dev.txt"))


def test_jars_are_those_of_the_pinned_delta_and_scala() -> None:
    delta = {jar.artifact: jar.version for jar in DELTA_JARS if jar.group == "io.delta"}
    assert delta == {f"delta-spark_{SCALA}": DELTA, "delta-storage": DELTA}


def test_accepts_what_is_installed() -> None:
    check_runtime()
    assert set(installed_versions()) == set(RIGHT)


@pytest.mark.parametrize("spark", ["4.0.2", "4.0.2-amzn-0", "4.0.2+amzn.0"])
def test_accepts_a_clusters_rebuild_of_the_pinned_version(spark: str) -> None:
    check_runtime({**RIGHT, "pyspark": spark})


@pytest.mark.parametrize(
    ("name", "got", "named"),
    [
        ("python", "3.10", "Python 3.11 or newer, below 3.14 (got 3.10)"),
        ("python", "3.14", "Python 3.11 or newer, below 3.14 (got 3.14)"),
        ("pyspark", "4.0.20", "pyspark 4.0.2 (got 4.0.20)"),
        ("delta-spark", "missing", "delta-spark 4.0.0 (got missing)"),
        ("duckdb", "1.6.0", "duckdb 1.5.5 (got 1.6.0)"),
    ],
)
def test_refuses_another_version_by_name(name: str, got: str, named: str) -> None:
    with pytest.raises(RuntimeMismatchError, match=re.escape(named)):
        check_runtime({**RIGHT, name: got})


def test_names_everything_that_differs_at_once() -> None:
    with pytest.raises(RuntimeMismatchError, match=r"Python .*pyspark .*duckdb"):
        check_runtime({"python": "3.9", "pyspark": "3.5.0", "duckdb": "2.0.0"})
