"""What a batch changes in a curated table: a frame of changes, and what the load modes share in finding them.

A change has the curated columns, `_op`, and the place of the row that it changes. Only rows that really change are among the changes, at
most one for each of the table's identities. `insert` and `update` rows are whole; `close` and `mark` rows hold the identity and the
columns that the mode adds, `delete` rows the identity; the rest of them is NULL. `_batch` is the one that wrote the row last, or NULL.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField

from jobs.config.column import AS_OF
from jobs.config.table import Table
from jobs.tables.delta import curated_schema

OP = "_op"
INSERT, UPDATE, CLOSE, MARK, DELETE = "insert", "update", "close", "mark", "delete"
"""A new row · new content of a row · another end of a version, because of its neighbour or a deletion · `_deleted_at` of a row that is
gone · the end of a row."""
TIE = "tie"
"""No change yet: an arriving row of the same order as the table's, whose contents are still to be compared."""

FILE, ROW = "_file", "_row"
"""Where a row of the table stands: the address of its data file, and its number there from 0. NULL for an insert."""
PLACE = (FILE, ROW)


@dataclass(frozen=True)
class Arrival:
    """What a batch brings to one table, and the table as it is.

    - `arriving`: accepted rows, several of one key perhaps: the contract's columns, and for mode `insert` `_object`, `_record`, `_offset`.
    - `current`: the curated table, each row with its place (`jobs.tables.current_rows.rows_with_places`).
    - `deleted`: key columns of rows that the source no longer has under this batch's snapshot; None where deletes are not reconciled.
    - `observed_at`: the time of that snapshot (aware); None for files and replayed records, which say nothing of what is there now.
    - `affected`: a derived table's affected keys, for which `arriving` is the whole truth; None for a feed's table.
    """

    table: Table
    arriving: DataFrame
    current: DataFrame
    deleted: DataFrame | None = None
    observed_at: datetime | None = None
    affected: DataFrame | None = None


def held(stack: ExitStack, rows: DataFrame) -> DataFrame:
    """`rows`, computed once until the stack is closed."""
    stack.callback(rows.persist().unpersist)
    return rows


def change_rows(table: Table, rows: DataFrame) -> DataFrame:
    """The rows that have an `_op`, with the columns of changes; those that `rows` lacks are NULL."""
    places = [StructField(FILE, StringType()), StructField(ROW, LongType())]
    fields = [*curated_schema(table).fields, *places]
    present = set(rows.columns)
    selected = [
        f"`{field.name}`"
        if field.name in present
        else f"CAST(NULL AS {field.dataType.simpleString()}) AS `{field.name}`"
        for field in fields
    ]
    return rows.where(F.col(OP).isNotNull()).selectExpr(*selected, OP)


def ranking(table: Table) -> tuple[str, ...]:
    """The columns that order the rows of one key: `newest_by`, then the rest of the contract. A total order of contents."""
    return (*order_columns(table), *content_columns(table))


def order_columns(table: Table) -> tuple[str, ...]:
    return tuple(name for name in table.load.newest_by if name not in table.key)


def content_columns(table: Table) -> tuple[str, ...]:
    """What is neither key nor order: it decides between rows of the same order."""
    return tuple(name for name in table.columns if name not in table.key and name not in table.load.newest_by)


def compared(table: Table) -> tuple[str, ...]:
    """The columns whose values tell whether a derived row changed: all but the key and those that hold the plan's time."""
    return tuple(name for name, column in table.columns.items() if name not in table.key and column.source != AS_OF)


def values(table: Table, names: Iterable[str], of: str = "") -> SparkColumn:
    """The values of columns as one that can be compared: `<=>` is sameness, `>` the order, NULL smallest. `of`: a struct that holds them.

    A double comes with its text: 0.0 equals -0.0, and which of them stays must not depend on the order of arrival.
    """
    fields = []
    for name in names:
        value = f"{of}.`{name}`" if of else f"`{name}`"
        fields.append(f"{value} AS `{name}`")
        if name in table.columns and table.columns[name].type.kind == "double":
            fields.append(f"CAST({value} AS string) AS `{name} as text`")
    return F.expr(f"struct({', '.join(fields)})")


def greatest(table: Table, rows: DataFrame, identity: tuple[str, ...], names: tuple[str, ...]) -> DataFrame:
    """One row per identity: the one with the greatest values of `names`, compared in this order. Columns: identity and `values`."""
    winner = rows.groupBy(*identity).agg(F.max(values(table, names)).alias("_greatest"))
    return winner.select(*identity, "_greatest.*")
