"""The local Spark session: what it is set to, what it leaves behind, and that it ends with its process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from pyspark.sql import SparkSession

from jobs.errors import StorageError
from jobs.runtime.spark_session import jvm_pid, start_spark

START_AND_WAIT = """
import sys, time
from pathlib import Path
from jobs.runtime.spark_session import jvm_pid, start_spark
spark = start_spark("test", 1, 1, Path(sys.argv[1]))
spark.sql("SELECT 1").collect()
print(jvm_pid(spark), flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class Other:
    """A process of its own that started Spark in `folder` and waits."""

    process: subprocess.Popen[str]
    folder: Path
    jvm: psutil.Process


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    """Started with a user's own, unfitting Spark settings, over what a dead and a living process left in its scratch folder."""
    folder, conf = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("conf")
    (conf / "spark-defaults.conf").write_text("spark.jars.packages no:such:package\n")
    foreign = {"SPARK_CONF_DIR": str(conf), "SPARK_HOME": "/nowhere", "PYSPARK_SUBMIT_ARGS": "--no-such"}
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getpid()):
        (folder / "my scratch" / "local" / str(pid) / "blockmgr").mkdir(parents=True)
    with (folder / "my scratch" / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", START_AND_WAIT, str(folder / "my scratch")],
            cwd=folder,
            env={**os.environ, **foreign},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.strip().isdigit(), line + (folder / "my scratch" / "stderr").read_text()
    yield Other(process, folder, psutil.Process(int(line)))
    process.kill()
    process.communicate()


def test_is_set_to_utc_ansi_and_as_many_partitions_as_cores(spark: SparkSession) -> None:
    names = ("spark.sql.session.timeZone", "spark.sql.ansi.enabled", "spark.sql.shuffle.partitions", "spark.master")
    assert [spark.conf.get(name) for name in names] == ["UTC", "true", "2", "local[2]"]


def test_listens_on_loopback_only(spark: SparkSession) -> None:
    ports = [c for c in psutil.Process(jvm_pid(spark)).net_connections() if c.status == psutil.CONN_LISTEN]
    assert ports
    assert {port.laddr.ip.removeprefix("::ffff:") for port in ports} == {"127.0.0.1"}


def test_names_the_process_id_of_its_jvm(spark: SparkSession) -> None:
    jvm = psutil.Process(jvm_pid(spark))
    assert jvm.name() == "java"
    assert jvm.ppid() == os.getpid()


def test_starts_whatever_the_users_own_spark_settings_are_and_prints_nothing(other: Other) -> None:
    assert (other.folder / "my scratch" / "stderr").read_text() == ""
    assert "WARN" in (other.folder / "my scratch" / "spark.log").read_text()


def test_leaves_nothing_outside_its_scratch_folder(other: Other) -> None:
    assert [path.name for path in other.folder.iterdir()] == ["my scratch"]


def test_removes_what_dead_processes_left_and_nothing_of_living_ones(other: Other) -> None:
    left = {path.name for path in (other.folder / "my scratch" / "local").iterdir()}
    assert left == {str(os.getpid()), str(other.process.pid)}


def test_the_jvm_ends_when_its_process_is_killed(other: Other) -> None:
    other.process.kill()
    other.jvm.wait(timeout=60)


def test_names_a_scratch_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="Preparing .*scratch for Spark"):
        start_spark("test", 1, 1, tmp_path / "scratch")
