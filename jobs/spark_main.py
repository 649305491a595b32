"""What a step on a cluster runs: the same commands that a person types, with the cluster's Spark and the step's own role.

Loading is left to whoever submitted the step: it needs no Spark, and a dead warehouse must not fail what is committed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

import boto3
from pyspark.sql import SparkSession

from jobs import cli
from jobs.config.environment import Environment
from jobs.run.session import Machine, Session, on_machine
from jobs.runtime.cluster_spark import cluster_spark


def main(arguments: Sequence[str]) -> None:
    """Ends the process with the command's exit code."""
    with on_machine(Machine(_spark_of_the_step, _own_role, publishes=False)):
        cli.main(arguments)


def _spark_of_the_step(session: Session, stack: ExitStack) -> SparkSession:
    region = session.project.environment.region or ""
    spark = cluster_spark("tidemark", region)
    stack.callback(spark.stop)
    return spark


def _own_role(environment: Environment) -> boto3.Session:
    """The role that the step runs with; what else reads AWS's variables is told the region too."""
    os.environ.setdefault("AWS_REGION", environment.region or "")
    return boto3.Session(region_name=environment.region)
