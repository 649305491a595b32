"""spark-submit as a step: Spark is the cluster's, everything else the job brings. Each test names the document that its rule is from."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.local_aws.emr_account import EmrAccount, is_alive, wait_until

JOB_ROLE = "arn:aws:iam::123456789012:role/job"
DELTA = {"Classification": "delta-defaults", "Properties": {"delta.enabled": "true"}}

# Writes from a Python worker's own folder and from the driver's --py-files, and reads back what is stored.
JOB = """
import sys
from brought import LETTERS
from pyspark.sql import SparkSession

spark = (
    SparkSession.builder
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .getOrCreate()
)

def read_in_worker(numbers):
    from unpacked import LETTERS
    with open("app/data.txt") as file:
        word = file.read()
    for number in numbers:
        yield number, LETTERS[number] + word

rows = spark.sparkContext.parallelize(range(len(LETTERS)), 2).mapPartitions(read_in_worker)
spark.createDataFrame(rows, "id int, word string").write.format("delta").save(sys.argv[1])
stored = spark.read.format("delta").load(sys.argv[1]).orderBy("id").collect()
print([tuple(row) for row in stored], spark.sparkContext.getConf().get("spark.executor.memory"))
"""

SLEEPING_JOB = """
import os, pathlib, time
from pyspark.sql import SparkSession

def sleep(numbers):
    pathlib.Path("{pid}").write_text(str(os.getpid()))
    time.sleep(600)
    return numbers

SparkSession.builder.getOrCreate().sparkContext.parallelize([1], 1).mapPartitions(sleep).collect()
"""


@pytest.fixture(scope="module")
def job(account: EmrAccount) -> Iterator[list[str]]:
    """The command that submits JOB, and its parts in buckets `artifacts` and `lake`."""
    for bucket in ("artifacts", "lake"):
        account.s3.create_bucket(Bucket=bucket)
    parts = {
        "job.py": JOB.encode(),
        "driver.zip": _zipped({"brought.py": "LETTERS = 'abc'"}),
        "app.zip": _zipped({"unpacked.py": "LETTERS = 'abc'", "data.txt": "-word"}),
    }
    for name, content in parts.items():
        account.s3.put_object(Bucket="artifacts", Key=f"jobs/{name}", Body=content)
    options = ["--deploy-mode", "client", "--py-files", "s3://artifacts/jobs/driver.zip"]
    options += ["--archives", "s3://artifacts/jobs/app.zip#app", "--conf", "spark.executorEnv.PYTHONPATH=app"]
    yield ["spark-submit", *options, "s3://artifacts/jobs/job.py"]


def test_a_job_writes_a_delta_table_to_s3_and_reads_it_back(account: EmrAccount, job: list[str]) -> None:
    """EMR release guide, "Delta Lake" and "Work with storage and file systems": `s3://` is the scheme; Spark documentation, "Running Spark
    on YARN" and "Python Package Management": the driver gets --py-files, executors find archives under their names."""
    cluster = account.cluster(Configurations=[DELTA, _spark_defaults({"spark.executor.memory": "777m"})])
    (made,) = account.add(cluster, [*job, "s3://lake/curated/words"], ExecutionRoleArn=JOB_ROLE)
    status = account.wait_for(cluster, made)
    assert status["State"] == "COMPLETED", account.log(cluster, made, "stderr")[-3000:]
    assert account.log(cluster, made, "stdout").strip() == "[(0, 'a-word'), (1, 'b-word'), (2, 'c-word')] 777m"
    found = account.s3.list_objects_v2(Bucket="lake", Prefix="curated/words/_delta_log/")["Contents"]
    assert [each["Key"] for each in found if each["Key"].endswith(".json")] == [
        "curated/words/_delta_log/00000000000000000000.json"
    ]


def test_a_cluster_has_delta_only_if_it_asks_for_it(account: EmrAccount, job: list[str]) -> None:
    """EMR release guide, "Delta Lake": the classification delta-defaults with delta.enabled makes it available."""
    cluster = account.cluster()
    (made,) = account.add(cluster, [*job, "s3://lake/curated/none"], ExecutionRoleArn=JOB_ROLE)
    status = account.wait_for(cluster, made)
    assert status["State"] == "FAILED"
    assert "Failed to find the data source: delta" in account.log(cluster, made, "stdout")
    assert status["FailureDetails"]["LogFile"].endswith("stdout.gz")  # where Spark writes what Python says


def test_an_archive_that_is_not_there_fails_the_step(account: EmrAccount, job: list[str]) -> None:
    """Spark documentation, "Submitting Applications", --archives: they are fetched before the job begins."""
    cluster = account.cluster()
    absent = [part.replace("app.zip", "absent.zip") for part in job]
    (made,) = account.add(cluster, absent, ExecutionRoleArn=JOB_ROLE)
    status = account.wait_for(cluster, made)
    assert status["State"] == "FAILED"
    assert "Not Found" in status["FailureDetails"]["Message"]


def test_a_cancelled_job_takes_its_python_workers_along(account: EmrAccount, job: list[str], tmp_path: Path) -> None:
    """EMR management guide, "Cancel steps"; Spark documentation, "Running Spark on YARN": in client mode the driver is the step's process."""
    sleeper = SLEEPING_JOB.format(pid=tmp_path / "pid")
    account.s3.put_object(Bucket="artifacts", Key="jobs/sleeper.py", Body=sleeper.encode())
    cluster = account.cluster()
    (made,) = account.add(cluster, ["spark-submit", "s3://artifacts/jobs/sleeper.py"], ExecutionRoleArn=JOB_ROLE)
    worker = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    account.emr.cancel_steps(ClusterId=cluster, StepIds=[made])
    assert account.wait_for(cluster, made)["State"] == "CANCELLED"
    assert not is_alive(worker)


def _spark_defaults(properties: dict[str, str]) -> dict[str, Any]:
    """EMR release guide, "Configure Spark"."""
    return {"Classification": "spark-defaults", "Properties": properties}


def _zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
