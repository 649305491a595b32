"""The Spark session of the local environment: in this process, on loopback, quiet, and gone when the process is.

A cluster's session is the cluster's own. Nothing else in `jobs.runtime` may import pyspark, but what reads Spark's errors.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from jobs.errors import RuntimeMismatchError, StorageError
from jobs.runtime.jars import delta_jars, spark_home, user_cache
from jobs.runtime.java import find_java
from jobs.versions import check_runtime

LOG = "spark.log"
_LOG_BYTES = 10_000_000

# Measured on 2 cores, first six Delta statements of a session: the first compiler tier and the serial collector take 21 s of CPU,
# Java's defaults 39 s, and half of the memory. A job that keeps both cores busy for 8 s otherwise takes 12 s: local runs are small.
_QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData"

# A user's own Spark must not decide anything: other defaults, another version, a remote session.
_FOREIGN = (
    "HADOOP_CONF_DIR",
    "PYSPARK_SUBMIT_ARGS",
    "SPARK_CONF_DIR",
    "SPARK_CONNECT_MODE_ENABLED",
    "SPARK_LOCAL_DIRS",
    "SPARK_REMOTE",
)


def start_spark(app: str, cores: int, memory_gb: int, scratch: Path) -> SparkSession:
    """A session with Delta; `scratch` gets Spark's temporary files, its warehouse folder and its log, `spark.log`.

    Session time zone UTC, ANSI on, `cores` shuffle partitions. The JVM ends when this process ends, however it ends. Sets
    environment variables of this process, because Spark reads its start from there.

    Raises: RuntimeMismatchError if Python, Spark, Delta, DuckDB or Java is not the pinned one or Spark does not come up;
    DownloadError if the Delta jars cannot be fetched; StorageError if `scratch` cannot be written.
    """
    check_runtime()
    cache = user_cache()
    java = find_java(cache)
    jars = delta_jars(cache)
    _set_environment(java)
    scratch = scratch.absolute()
    temporary = _temporary_folder(scratch)
    conf = SparkConf(loadDefaults=False)
    conf.setAll(list(_settings(app, cores, memory_gb, scratch, temporary, jars).items()))
    with _open_log(scratch) as log:
        try:
            context = SparkContext(conf=conf, gateway=_gateway(conf, log))
        except PySparkRuntimeError as error:
            raise RuntimeMismatchError(
                f"Starting Spark with the Java in {java}: expected its JVM to come up, got {error.getCondition()!r}. "
                f"The reason stands at the end of {scratch / LOG}."
            ) from error
    return SparkSession(context)


def jvm_pid(spark: SparkSession) -> int:
    """The process id of the session's JVM, which can outlive a killed Python by half a second.

    Spark's scripts exec Java, so what this process has started is the JVM; under spark-submit the JVM has started this process.
    """
    started: Any = getattr(spark.sparkContext._gateway, "proc", None)
    return int(started.pid) if started else os.getppid()


def _gateway(conf: SparkConf, log: BinaryIO) -> Any:
    """A new JVM whose output goes to `log`, not to the terminal; the one that runs if this process already has one."""
    launch: Any = launch_gateway  # pyspark gives it no types
    return SparkContext._gateway or launch(conf, popen_kwargs={"stdout": log, "stderr": log})


def _settings(app: str, cores: int, memory_gb: int, scratch: Path, temporary: Path, jars: list[Path]) -> dict[str, str]:
    return {
        "spark.app.name": app,
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": f"{memory_gb}g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f'{_QUICK_START} -Duser.timezone=UTC "-Djava.io.tmpdir={temporary}"',
        "spark.jars": ",".join(path.as_uri() for path in jars),
        "spark.local.dir": str(temporary),
        "spark.sql.warehouse.dir": (scratch / "warehouse").as_uri(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.shuffle.partitions": str(cores),
        "spark.sql.adaptive.enabled": "false",  # plans every stage anew: a quarter of a small batch's time, for nothing on `cores`
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # not INT96: exact statistics, read by all
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.inMemoryColumnarStorage.compressed": "false",  # what is held is read once more: not worth a tenth of the CPU
        "spark.databricks.delta.snapshotPartitions": "1",  # 50 by default: seconds on every statement
    }


def _set_environment(java: Path) -> None:
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ["JAVA_HOME"] = str(java)
    os.environ["SPARK_HOME"] = str(spark_home())
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable


def _temporary_folder(scratch: Path) -> Path:
    """A folder for this process alone. Those of dead processes go: a killed JVM leaves its shuffle files behind."""
    with _storage_errors(scratch):
        mine = scratch / "local" / str(os.getpid())
        mine.mkdir(parents=True, exist_ok=True)
        for folder in mine.parent.iterdir():
            if not (folder.name.isdigit() and psutil.pid_exists(int(folder.name))):
                shutil.rmtree(folder, ignore_errors=True)
        return mine


def _open_log(scratch: Path) -> BinaryIO:
    """The log, for appending; begun anew when it has grown beyond `_LOG_BYTES`."""
    with _storage_errors(scratch):
        log = scratch / LOG
        is_large = log.is_file() and log.stat().st_size > _LOG_BYTES
        return log.open("wb" if is_large else "ab")


@contextmanager
def _storage_errors(scratch: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Preparing {scratch} for Spark: expected a folder that can be written, got {str(error)!r}. "
            "Free space or restore access, then run the same command again."
        ) from error
