"""The Spark of one cluster: the distribution inside the pyspark package, with a configuration and a Python of its own.

What stands here stands in for what EMR installs: nothing of this project, and none of its packages.
"""

from __future__ import annotations

import shlex
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.local.s3_connector import s3_connector
from jobs.runtime.jars import delta_jars, spark_home, user_cache

# Measured on 2 cores: Java's defaults take twice the CPU for a small job (see jobs/runtime/spark_session.py).
_JAVA_OPTIONS = (
    '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -Duser.timezone=UTC "-Djava.io.tmpdir=$TMPDIR"'
)


def make_python(folder: Path) -> Path:
    """The `bin` of a Python of this very version with nothing installed: what a job imports, its archives must bring."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin"


def make_spark_home(folder: Path, python: Path, endpoint: str, region: str, settings: Mapping[str, str]) -> Path:
    """A SPARK_HOME in `folder`, whose jobs run on two local cores; `settings` go over ours, as EMR's classification `spark-defaults` does.

    `s3://` is S3A: the one scheme that both EMR and this Spark know. Raises: DownloadError.
    """
    (folder / "conf").mkdir(parents=True)
    for part in ("bin", "jars", "python"):
        (folder / part).symlink_to(spark_home() / part)
    # The job's own options stay free: spark-submit reads these beside them. Everything temporary goes with the step's home.
    (folder / "conf" / "spark-env.sh").write_text(
        "export SPARK_LOCAL_IP=127.0.0.1\n"
        f"export PYSPARK_PYTHON={shlex.quote(str(python / 'python3'))}\n"
        'export TMPDIR="$HOME/tmp" SPARK_LOCAL_DIRS="$HOME/tmp"\n'
        f"export SPARK_SUBMIT_OPTS={_in_double_quotes(_JAVA_OPTIONS)}\n"
        'mkdir -p "$TMPDIR"\n'
    )
    lines = (_defaults(endpoint, region) | dict(settings)).items()
    (folder / "conf" / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in lines))
    return folder


def delta_class_path() -> dict[str, str]:
    """What the classification `delta-defaults` with `delta.enabled` adds: Delta's classes, and no setting of a session."""
    return _class_path([*s3_connector(user_cache()), *delta_jars(user_cache())])


def _defaults(endpoint: str, region: str) -> dict[str, str]:
    return _class_path(s3_connector(user_cache())) | {
        "spark.master": "local[2]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        # Spark's own defaults are for many machines and large tables: on two cores and small ones they are most of the time.
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.delta.logStore.s3.impl": "io.delta.storage.S3SingleDriverLogStore",
    }


def _class_path(jars: Iterable[Path]) -> dict[str, str]:
    """On Java's own class path, as on EMR: spark-submit reads the job itself from `s3://` before any `spark.jars` are there."""
    joined = ":".join(map(str, jars))
    return {"spark.driver.extraClassPath": joined, "spark.executor.extraClassPath": joined}


def _in_double_quotes(text: str) -> str:
    """For a shell that still puts in the variables."""
    return '"' + text.replace('"', '\\"') + '"'
