"""The real package: built for the cluster, uploaded once, and enough for driver and workers on a Spark that has nothing else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import py4j
import pyspark
import pytest

from jobs.emr.archives import app_archive, dependencies_archive
from jobs.emr.package import deliver
from jobs.emr.request import RunRequest, step_config
from jobs.runtime.aws import aws_session
from jobs.runtime.progress import Progress
from jobs.versions import PYTHON
from tests.integration.local_aws.emr_account import ROOT, EmrAccount
from tests.integration.local_aws.submitting import ROLE, environment, zipped

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine(), sys.version_info[:2]) != ("linux", "x86_64", PYTHON),
    reason="the archive is for the cluster's platform and Python",
)

BUCKET = "artifacts-of-packages"

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:]
import jobs
names = [found.name for found in pkgutil.walk_packages(jobs.__path__, "jobs.")]
for name in names:
    importlib.import_module(name)
import jobs.run.pipeline_run, jobs.run.curate
print(len(names))
"""

# Arrow's native modules in the driver and in a worker. Workers put every zip that the session knows before their own path.
SPARK_MAIN = """
def main(arguments):
    import pyarrow
    from pyspark.sql import SparkSession

    def paths(batches):
        import numpy, pyarrow, jobs
        for _ in batches:
            yield pyarrow.RecordBatch.from_pydict({"path": [pyarrow.__file__, numpy.__file__, jobs.__file__]})

    spark = SparkSession.builder.config("spark.submit.pyFiles", "").getOrCreate()
    print(pyarrow.__file__)
    for row in spark.range(1, numPartitions=1).mapInArrow(paths, "path string").collect():
        print(row.path)
    return 0
"""


@dataclass(frozen=True)
class Unpacked:
    home: Path
    folder: Path


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("dependencies")
    with zipfile.ZipFile(dependencies_archive(ROOT, home, Progress()).path) as archive:
        archive.extractall(folder)
    return Unpacked(home, folder)


@pytest.fixture(scope="module")
def aws(account: EmrAccount) -> Iterator[EmrAccount]:
    account.s3.create_bucket(Bucket=BUCKET)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in account.variables.items():
            patch.setenv(name, value)
        yield account


def test_every_module_comes_up_with_the_archive_and_pyspark_alone(dependencies: Unpacked, tmp_path: Path) -> None:
    spark, app = tmp_path / "spark", tmp_path / "app"
    spark.mkdir()
    for module in (pyspark, py4j):
        (spark / module.__name__).symlink_to(Path(module.__file__ or "").parent)
    with zipfile.ZipFile(app_archive(ROOT, tmp_path).path) as archive:
        archive.extractall(app)
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, *map(os.fspath, (app, dependencies.folder, spark))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 100


def test_the_package_is_uploaded_once(dependencies: Unpacked, aws: EmrAccount) -> None:
    session = aws_session(environment("depot", None))
    first = deliver(session, f"s3://{BUCKET}/jobs/", ROOT, dependencies.home, Progress())
    before = _stored(aws)
    second = deliver(session, f"s3://{BUCKET}/jobs/", ROOT, dependencies.home, Progress())
    assert (second, _stored(aws)) == (first, before)
    assert set(before) == {address.removeprefix(f"s3://{BUCKET}/") for address in vars(first).values()}


def test_driver_and_workers_import_native_modules_from_what_was_unpacked(
    dependencies: Unpacked, aws: EmrAccount
) -> None:
    package = deliver(
        aws_session(environment("depot", None)), f"s3://{BUCKET}/jobs", ROOT, dependencies.home, Progress()
    )
    content = zipped({"jobs/__init__.py": "", "jobs/spark_main.py": SPARK_MAIN})
    aws.s3.put_object(Bucket=BUCKET, Key=package.app.removeprefix(f"s3://{BUCKET}/"), Body=content)
    cluster, request = aws.cluster(), RunRequest("dev", "depot", (), "night", is_named=True)
    (step,) = aws.emr.add_job_flow_steps(
        JobFlowId=cluster, Steps=[step_config(request, 1, package)], ExecutionRoleArn=ROLE
    )["StepIds"]
    assert aws.wait_for(cluster, step)["State"] == "COMPLETED", aws.log(cluster, step, "stderr")[-3000:]
    driver, *worker = aws.log(cluster, step, "stdout").splitlines()
    assert "/tidemark-" in driver
    assert [Path(path).parts[-3:-1] for path in worker] == [
        ("dependencies", "pyarrow"),
        ("dependencies", "numpy"),
        ("app", "jobs"),
    ]


def _stored(aws: EmrAccount) -> dict[str, str]:
    """Key → time and ETag of every object."""
    listed = aws.s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    return {found["Key"]: f"{found['LastModified']} {found['ETag']}" for found in listed}
