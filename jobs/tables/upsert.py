"""Mode `upsert`: the newest version of each key.

Rows without a snapshot (files, events, replays): any permutation, replay and split of the same rows into batches gives the same table.
Rows that a database shows under a snapshot are what is there now: they take the place of what an earlier snapshot showed, whatever
their order, so that a correction arrives which nobody stamped.
"""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.config.table import DELETED_AT
from jobs.tables.changes import (
    DELETE,
    INSERT,
    MARK,
    OP,
    PLACE,
    TIE,
    UPDATE,
    Arrival,
    change_rows,
    compared,
    content_columns,
    greatest,
    order_columns,
    ranking,
    values,
)
from jobs.tables.current_rows import rows_with_keys, with_content
from jobs.tables.delta import BATCH

_THERE, _KEPT, _KEPT_CONTENT = "_there", "_kept", "_kept_content"


def changes(arrival: Arrival, _: ExitStack) -> DataFrame:
    return _of_feed(arrival) if arrival.affected is None else _of_derived(arrival)


def _of_feed(arrival: Arrival) -> DataFrame:
    """The greatest row per key by `ranking`, unless the table's is of greater order; and what became of rows that are gone.

    A row that is marked as deleted and arrives from a later snapshot is there again, whatever its order. A row whose key still arrives
    is not gone. Of the table only key and order are read: where the order is the same, the row is a tie.
    """
    table, is_soft = arrival.table, DELETED_AT in arrival.table.added_columns
    rows = _with_gone_ones(arrival)
    newest = greatest(table, rows, table.key, (_THERE, *ranking(table)))
    columns = [*order_columns(table), *([DELETED_AT] if is_soft else []), BATCH, *PLACE]
    kept = rows_with_keys(arrival.current, rows.select(*table.key), [*table.key, *columns])
    kept = kept.select(*table.key, F.struct(*columns).alias(_KEPT))
    pairs = newest.join(kept, on=list(table.key), how="left")
    known, there = F.col(_KEPT).isNotNull(), F.col(_THERE)
    deleted_at = F.col(f"{_KEPT}.{DELETED_AT}") if is_soft else F.lit(None).cast("timestamp")
    observed = F.lit(arrival.observed_at).cast("timestamp")
    is_back = known & F.coalesce(observed > deleted_at, F.lit(False))
    arriving_order, kept_order = values(table, order_columns(table)), values(table, order_columns(table), _KEPT)
    is_newer = F.lit(True) if arrival.observed_at else arriving_order > kept_order
    op = (
        F.when(there & ~known, INSERT)
        .when(there & is_back, UPDATE)
        .when(there & arriving_order.eqNullSafe(kept_order), TIE)
        .when(there & is_newer, UPDATE)
        .when(~there & known & deleted_at.isNull(), MARK if is_soft else DELETE)
    )
    marked = F.when(~there, observed).when(~is_back, deleted_at)
    return change_rows(table, pairs.withColumns({OP: op, DELETED_AT: marked, **_where_kept()}))


def settled(arrival: Arrival, ties: DataFrame) -> DataFrame:
    """Those of the ties that are changes: of greater content than the table's row, or of other content if observed under a snapshot."""
    table, content = arrival.table, content_columns(arrival.table)
    again, key = ties.select(*table.key, BATCH), list(table.key)
    pairs = with_content(ties, again, arrival.current, key, values(table, content).alias(_KEPT_CONTENT))
    arriving, kept = values(table, content), F.col(_KEPT_CONTENT)
    return change_rows(table, pairs.withColumn(OP, F.when(_is_other(arrival, arriving, kept), UPDATE)))


def _is_other(arrival: Arrival, content: Column, kept: Column) -> Column:
    return ~content.eqNullSafe(kept) if arrival.observed_at else content > kept


def _where_kept() -> dict[str, Column]:
    return {name: F.col(f"{_KEPT}.{name}") for name in (BATCH, *PLACE)}


def _with_gone_ones(arrival: Arrival) -> DataFrame:
    """The arriving rows and the keys of deleted ones, told apart by `_there`."""
    rows = arrival.arriving.select(*arrival.table.columns).withColumn(_THERE, F.lit(True))
    if arrival.deleted is None:
        return rows
    gone = arrival.deleted.select(*arrival.table.key).withColumn(_THERE, F.lit(False))
    return rows.unionByName(gone, allowMissingColumns=True)


def _of_derived(arrival: Arrival) -> DataFrame:
    """The greatest arriving row per key takes the place of what is there if its values differ, whatever its order; nothing goes."""
    table, key, names = arrival.table, list(arrival.table.key), compared(arrival.table)
    newest = greatest(table, arrival.arriving, table.key, ranking(table))
    kept = rows_with_keys(arrival.current, newest.select(*key), [*key, *names, *PLACE])
    pairs = newest.join(kept.select(*key, *PLACE, values(table, names).alias(_KEPT)), on=key, how="left")
    op = F.when(F.col(_KEPT).isNull(), INSERT).when(~values(table, names).eqNullSafe(F.col(_KEPT)), UPDATE)
    return change_rows(table, pairs.withColumn(OP, op))
