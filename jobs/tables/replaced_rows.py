"""One commit that takes rows away by their place and adds others, for tables with deletion vectors.

A MERGE would look for the rows again: twice, and the second time it shuffles the keys of every file that it touches. The changes know
where their rows stand, so nothing of the table is read here. The public interface of Delta has no such commit; these are the classes
that its own UPDATE and MERGE are made of (Delta 4.0, package org.apache.spark.sql.delta.commands). `jobs.versions` pins the version,
and the tests of the load modes fail if a class changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.errors import BalanceError
from jobs.tables.changes import FILE, ROW

_DELTA = "org.apache.spark.sql.delta"


def replace_rows(
    spark: SparkSession,
    address: str,
    gone: DataFrame,
    rows: DataFrame,
    expected: tuple[int, int],
    metrics: Mapping[str, int],
) -> None:
    """Marks the rows at the places in `gone` as deleted and adds `rows`, in one commit under the tag that is set.

    `expected`: how many rows must go and come. `metrics`: stored in the commit, under the names of a MERGE's.

    Raises:
        BalanceError: Delta counts others than expected; nothing is committed.
    """
    jvm: Any = spark._jvm
    session: Any = spark._jsparkSession
    log = getattr(jvm, f"{_DELTA}.DeltaLog").forTable(session, address)
    transaction = log.startTransaction()
    added = transaction.writeFiles(rows._jdf) if expected[1] else _seq(jvm, [])
    touched = _touched_files(spark, log, transaction, gone)
    found = (sum(file.numberOfModifiedRows() for file in _each(touched)), sum(map(_records, _each(added))))
    if found != expected:
        raise BalanceError(
            f"Writing {address}: expected {expected[0]} rows to go and {expected[1]} to come, got {found[0]} and {found[1]}. "
            "Nothing was committed: run the same command again, and report this if it stays."
        )
    helper = _module(jvm, "commands.DMLWithDeletionVectorsHelper")
    unmodified = helper.processUnmodifiedData(session, touched, transaction.snapshot())._1()
    tag = helper.createSetTransaction(session, log, jvm.scala.Option.empty())
    _register(spark, transaction, metrics)
    transaction.commit(unmodified.appendedAll(added).appendedAll(tag.toList()), _merge_operation(jvm))


def _touched_files(spark: SparkSession, log: Any, transaction: Any, gone: DataFrame) -> Any:
    """Each data file that loses rows, with its new deletion vector, which includes the old one."""
    jvm: Any = spark._jvm
    candidates = transaction.filterFiles()
    always = jvm.org.apache.spark.sql.catalyst.expressions.Literal.TrueLiteral()
    file, row = (jvm.scala.Option.apply(F.col(name)._jc) for name in (FILE, ROW))
    vectors = _module(jvm, "commands.DeletionVectorBitmapGenerator").buildRowIndexSetsForFilesMatchingCondition(
        spark._jsparkSession, transaction, True, gone._jdf, candidates, always, file, row
    )
    helper = _module(jvm, "commands.DMLWithDeletionVectorsHelper")
    by_name = helper.generateCandidateFileMap(log.dataPath(), candidates)
    return helper.findFilesWithMatchingRows(transaction, by_name, vectors)


def _register(spark: SparkSession, transaction: Any, metrics: Mapping[str, int]) -> None:
    jvm: Any = spark._jvm
    context = spark.sparkContext._jsc.sc()
    found = jvm.java.util.HashMap()
    for name, value in metrics.items():
        metric = jvm.org.apache.spark.sql.execution.metric.SQLMetrics.createMetric(context, name)
        metric.set(value)
        found.put(name, metric)
    scala_map = jvm.scala.jdk.javaapi.CollectionConverters.asScala(found)
    transaction.registerSQLMetrics(spark._jsparkSession, getattr(jvm.scala.collection.immutable.Map, "from")(scala_map))


def _merge_operation(jvm: Any) -> Any:
    """What the log calls the commit: a MERGE without a condition, because that would put keys into the log."""
    nothing, no_clauses = jvm.scala.Option.empty(), _seq(jvm, [])
    operation = getattr(jvm, f"{_DELTA}.DeltaOperations$Merge")
    return operation(nothing, nothing, nothing, nothing, no_clauses, no_clauses, no_clauses)


def _records(file: Any) -> int:
    return int(file.numPhysicalRecords().get())


def _each(files: Any) -> Iterable[Any]:
    return [files.apply(index) for index in range(files.length())]


def _seq(jvm: Any, items: list[Any]) -> Any:
    found = jvm.java.util.ArrayList()
    for item in items:
        found.add(item)
    return jvm.scala.jdk.javaapi.CollectionConverters.asScala(found).toSeq()


def _module(jvm: Any, name: str) -> Any:
    """A Scala object."""
    return getattr(getattr(jvm, f"{_DELTA}.{name}$"), "MODULE$")  # $ is no part of a Python name
