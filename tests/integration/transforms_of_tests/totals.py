"""Derived tables of tests: `jobs.transforms.totals` while the fixture `own_transforms` is in use."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def of_owners(payments: DataFrame) -> DataFrame:
    """One row per (`region`, `owner`): the sum of what they paid."""
    return payments.groupBy("region", "owner").agg(F.sum("amount").cast("long").alias("total"))


def of_regions(owners: DataFrame) -> DataFrame:
    """One row per `region`: how many owners it has, and the sum of their totals."""
    return owners.groupBy("region").agg(
        F.count("*").cast("long").alias("owners"), F.sum("total").cast("long").alias("total")
    )
