"""Mode `upsert`: the newest version of each key.

Rows without a snapshot (files, events, replays): any permutation, replay and split of the same rows into batches gives the same table.
Rows that a database shows under a snapshot are what is there now: they take the place of what an earlier snapshot showed, whatever
their order, so that a correction arrives which nobody stamped.
"""

from __future__ import annotations

from contextlib import ExitStack

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.config.table import DELETED_AT, Table
from jobs.tables.changes import (
    DELETE,
    INSERT,
    MARK,
    OP,
    PLACE,
    UPDATE,
    Arrival,
    change_rows,
    compared,
    content_columns,
    greatest,
    held,
    order_columns,
    ranking,
    values,
)
from jobs.tables.current_rows import rows_with_keys, with_content
from jobs.tables.delta import BATCH

_THERE, _KEPT, _KEPT_CONTENT = "_there", "_kept", "_kept_content"


def changes(arrival: Arrival, stack: ExitStack) -> DataFrame:
    return _of_feed(arrival, stack) if arrival.affected is None else _of_derived(arrival)


def _of_feed(arrival: Arrival, stack: ExitStack) -> DataFrame:
    """The greatest row per key by `ranking`, unless the table's is greater or says the same; and what became of rows that are gone.

    A row that is marked as deleted and arrives from a later snapshot is there again, whatever its order. A row whose key still arrives
    is not gone. Of the table only key and order are read, content only where the order is the same.
    """
    table, is_soft = arrival.table, DELETED_AT in arrival.table.added_columns
    rows = _with_gone_ones(arrival)
    newest = greatest(table, rows, table.key, (_THERE, *ranking(table)))
    columns = [*order_columns(table), *([DELETED_AT] if is_soft else []), BATCH, *PLACE]
    kept = rows_with_keys(arrival.current, rows.select(*table.key), [*table.key, *columns])
    kept = kept.select(*table.key, F.struct(*columns).alias(_KEPT))
    pairs = held(stack, newest.join(kept, on=list(table.key), how="left"))
    pairs = _with_content_of_ties(arrival, pairs)
    known, there = F.col(_KEPT).isNotNull(), F.col(_THERE)
    deleted_at = F.col(f"{_KEPT}.{DELETED_AT}") if is_soft else F.lit(None).cast("timestamp")
    observed = F.lit(arrival.observed_at).cast("timestamp")
    is_back = known & F.coalesce(observed > deleted_at, F.lit(False))
    op = (
        F.when(there & ~known, INSERT)
        .when(there & (_is_newer(table, arrival.observed_at is not None) | is_back), UPDATE)
        .when(~there & known & deleted_at.isNull(), MARK if is_soft else DELETE)
    )
    marked = F.when(~there, observed).when(~is_back, deleted_at)
    return change_rows(table, pairs.withColumns({OP: op, DELETED_AT: marked, **_places()}))


def _places() -> dict[str, Column]:
    return {name: F.col(f"{_KEPT}.{name}") for name in PLACE}


def _with_gone_ones(arrival: Arrival) -> DataFrame:
    """The arriving rows and the keys of deleted ones, told apart by `_there`."""
    rows = arrival.arriving.select(*arrival.table.columns).withColumn(_THERE, F.lit(True))
    if arrival.deleted is None:
        return rows
    gone = arrival.deleted.select(*arrival.table.key).withColumn(_THERE, F.lit(False))
    return rows.unionByName(gone, allowMissingColumns=True)


def _with_content_of_ties(arrival: Arrival, pairs: DataFrame) -> DataFrame:
    """`pairs` with the kept content of each row whose order is the same; that of the others is NULL."""
    table, order, content = arrival.table, order_columns(arrival.table), content_columns(arrival.table)
    is_tie = F.col(_KEPT).isNotNull() & values(table, order).eqNullSafe(values(table, order, _KEPT))
    again = pairs.where(F.col(_THERE) & is_tie).select(*table.key, F.col(f"{_KEPT}.{BATCH}"))
    return with_content(pairs, again, arrival.current, list(table.key), values(table, content).alias(_KEPT_CONTENT))


def _is_newer(table: Table, is_observed: bool) -> Column:
    """Whether the arriving row is greater than the kept one; of one observed under a snapshot, whether it differs."""
    order, content = order_columns(table), values(table, content_columns(table))
    arriving, kept, kept_content = values(table, order), values(table, order, _KEPT), F.col(_KEPT_CONTENT)
    if is_observed:
        return ~(arriving.eqNullSafe(kept) & content.eqNullSafe(kept_content))
    return (arriving > kept) | (arriving.eqNullSafe(kept) & (content > kept_content))


def _of_derived(arrival: Arrival) -> DataFrame:
    """The greatest arriving row per key takes the place of what is there if its values differ, whatever its order; nothing goes."""
    table, key, names = arrival.table, list(arrival.table.key), compared(arrival.table)
    newest = greatest(table, arrival.arriving, table.key, ranking(table))
    kept = rows_with_keys(arrival.current, newest.select(*key), [*key, *names, *PLACE])
    pairs = newest.join(kept.select(*key, *PLACE, values(table, names).alias(_KEPT)), on=key, how="left")
    op = F.when(F.col(_KEPT).isNull(), INSERT).when(~values(table, names).eqNullSafe(F.col(_KEPT)), UPDATE)
    return change_rows(table, pairs.withColumn(OP, op))
