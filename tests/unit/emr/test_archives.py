"""The archives of a step: the same content gives the same name, and what is built is kept."""

from __future__ import annotations

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.emr.archives import app_archive, dependencies_archive
from jobs.emr.requirements import LEFT_OUT
from jobs.errors import PackagingError
from jobs.runtime.progress import Progress

# Installs one package with what comes along with packages, and notes that it was asked.
UV = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/brought/tests" "$2/brought/__pycache__" "$2/bin"
echo 'WORD = 1' > "$2/brought/__init__.py"
touch "$2/brought/tests/test_it.py" "$2/brought/__pycache__/a.pyc" "$2/bin/tool" "$2/.lock"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with conf/, locked requirements and a uv of its own."""
    root = tmp_path / "project"
    (root / "conf/pipelines").mkdir(parents=True)
    (root / "conf/pipelines/depot.yaml").write_text("pipeline: depot\n")
    (root / "requirements").mkdir()
    locked = [f"{name}==1.0 \\\n    --hash=sha256:00\n    # via -r runtime.in\n" for name in (*LEFT_OUT, "brought")]
    (root / "requirements/runtime.txt").write_text("".join(locked))
    give_uv(root, UV)
    return root


def give_uv(root: Path, script: str) -> None:
    (root / ".tools/bin").mkdir(parents=True, exist_ok=True)
    (root / ".tools/bin/uv").write_text(script)
    (root / ".tools/bin/uv").chmod(0o755)


def calls(root: Path) -> list[str]:
    return (root / ".tools/bin/calls").read_text().splitlines()


def test_the_app_holds_the_package_and_the_configuration(root: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(app_archive(root, tmp_path).path) as archive:
        names = archive.namelist()
    assert {"jobs/__init__.py", "jobs/emr/launch.py", "conf/pipelines/depot.yaml"} <= set(names)
    assert names == sorted(names)
    assert not [name for name in names if "__pycache__" in name]


def test_the_same_content_written_at_another_time_has_the_same_name(root: Path, tmp_path: Path) -> None:
    first = app_archive(root, tmp_path)
    for file in (root / "conf").rglob("*.yaml"):
        os.utime(file, (1, 1))
        file.chmod(0o600)
    (tmp_path / "other").mkdir()
    assert app_archive(root, tmp_path / "other").name == first.name


def test_other_content_has_another_name(root: Path, tmp_path: Path) -> None:
    first = app_archive(root, tmp_path)
    (root / "conf/pipelines/depot.yaml").write_text("pipeline: depot # changed\n")
    assert app_archive(root, tmp_path).name != first.name


def test_dependencies_are_built_without_what_nobody_imports(root: Path, tmp_path: Path) -> None:
    built = dependencies_archive(root, tmp_path / "home", Progress())
    with zipfile.ZipFile(built.path) as archive:
        assert archive.namelist() == ["brought/__init__.py"]


def test_dependencies_are_installed_for_the_cluster_and_by_hash(root: Path, tmp_path: Path) -> None:
    dependencies_archive(root, tmp_path / "home", Progress())
    options = "--python-platform x86_64-manylinux_2_28 --python-version 3.11 --quiet --only-binary :all: --no-deps --require-hashes"
    assert options in calls(root)[0]


def test_dependencies_are_built_once(root: Path, tmp_path: Path) -> None:
    first = dependencies_archive(root, tmp_path / "home", Progress())
    assert dependencies_archive(root, tmp_path / "home", Progress()) == first
    assert len(calls(root)) == 1


def test_of_two_submitters_at_once_one_builds(root: Path, tmp_path: Path) -> None:
    give_uv(root, UV + "sleep 0.3\n")
    with ThreadPoolExecutor(2) as submitters:
        first, second = submitters.map(lambda _: dependencies_archive(root, tmp_path / "home", Progress()), range(2))
    assert first == second
    assert len(calls(root)) == 1


def test_other_requirements_are_built_again(root: Path, tmp_path: Path) -> None:
    dependencies_archive(root, tmp_path / "home", Progress())
    locked = root / "requirements/runtime.txt"
    locked.write_text(locked.read_text().replace("brought==1.0", "brought==2.0"))
    dependencies_archive(root, tmp_path / "home", Progress())
    assert len(calls(root)) == 2


def test_what_is_in_the_cache_is_not_asked_of_the_index(root: Path, tmp_path: Path) -> None:
    give_uv(root, UV.replace("while", 'case "$*" in *--offline*) exit 1;; esac\nwhile', 1))
    dependencies_archive(root, tmp_path / "home", Progress())
    assert [call.endswith("--offline") for call in calls(root)] == [True, False]


def test_a_failed_build_leaves_nothing_and_tells_what_uv_said(root: Path, tmp_path: Path) -> None:
    give_uv(root, "#!/bin/sh\necho 'no wheel of brought' >&2\nexit 1\n")
    with pytest.raises(PackagingError, match="got 'no wheel of brought'"):
        dependencies_archive(root, tmp_path / "home", Progress())
    assert [file.name for file in (tmp_path / "home/emr").iterdir()] == ["building.lock"]


def test_a_machine_without_uv_is_told_how_to_get_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".tools/bin/uv").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError, match="make setup"):
        dependencies_archive(root, tmp_path / "home", Progress())


def test_a_folder_without_locked_requirements_is_told_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="Submit from a checkout"):
        dependencies_archive(tmp_path, tmp_path / "home", Progress())
