"""The Spark session of a step on a cluster: what spark-submit has set up, with Delta and the settings that results depend on."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pyspark
from pyspark.sql import SparkSession

from jobs.versions import check_runtime

_SETTINGS = {
    # Workers have the archives unpacked; as zips, where nothing native can be imported from, they would come first on their path.
    "spark.submit.pyFiles": "",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # not INT96: exact statistics, read by all
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",  # what is held is read once more: not worth a tenth of the CPU
}


def cluster_spark(app: str, region: str) -> SparkSession:
    """The step's own session. Workers ask S3 in the cluster's region. Raises RuntimeMismatchError on other versions than ours."""
    check_runtime(_versions_of_the_cluster())
    builder = SparkSession.builder.appName(app)
    for name, value in {**_SETTINGS, "spark.executorEnv.AWS_REGION": region}.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _versions_of_the_cluster() -> dict[str, str]:
    """Of what the step is given and what its archive brings. Spark is no installed package there: its own folder is on the path."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "pyspark": pyspark.__version__,
        "duckdb": version("duckdb"),
    }
