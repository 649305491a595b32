"""Mode `history` (SCD type 2): every version of each key, from `newest_by[0]` until the next one or a deletion.

Versions and deletions of a key are facts; where each version ends follows from them alone. So any order and any batching of the same
versions gives the same table. Equal consecutive states are not collapsed: what collapsed would depend on the order.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.config.table import Table
from jobs.tables.changes import (
    CLOSE,
    DELETE,
    INSERT,
    OP,
    PLACE,
    UPDATE,
    Arrival,
    change_rows,
    compared,
    greatest,
    held,
    ranking,
    values,
)
from jobs.tables.current_rows import rows_with_keys, with_content
from jobs.tables.delta import BATCH
from jobs.tables.recompute import affected_keys

_ARRIVED, _KEPT, _KEPT_CONTENT, _END = "_arrived", "_kept", "_kept_content", "_end"


def changes(arrival: Arrival, stack: ExitStack) -> DataFrame:
    return _of_feed(arrival, stack) if arrival.affected is None else _of_derived(arrival)


def _of_feed(arrival: Arrival, stack: ExitStack) -> DataFrame:
    """New versions, versions whose content a greater one of the same beginning replaces, and versions that end elsewhere now.

    Of the table only beginnings and ends are read, content only where a version arrives again.
    """
    table = arrival.table
    identity, rest = list(table.identity), _rest(table)
    arriving = _versions(arrival)
    gone = (
        arrival.current.select(*table.key).limit(0) if arrival.deleted is None else arrival.deleted.select(*table.key)
    )
    keys = arriving.select(*table.key).unionByName(gone)
    columns = [*identity, "valid_to", BATCH, *PLACE]
    kept = held(stack, rows_with_keys(arrival.current, keys, columns))
    again = kept.join(arriving.select(*identity), on=identity, how="left_semi").select(*table.key, BATCH)
    facts = arriving.join(_with_deletion(table, kept), on=identity, how="full")
    facts = with_content(facts, again, arrival.current, identity, values(table, rest).alias(_KEPT_CONTENT))
    facts = facts.join(gone.distinct().withColumn("_gone", F.lit(True)), on=list(table.key), how="left")
    facts = facts.withColumn(_END, _end(table, _deletions(table, arrival.observed_at)))
    op = (
        F.when(F.col(_KEPT).isNull(), INSERT)
        .when(F.col(_ARRIVED) & _is_other(arrival, values(table, rest), F.col(_KEPT_CONTENT)), UPDATE)
        .when(_ends_elsewhere(), CLOSE)
    )
    return _history_changes(table, facts, op)


def _of_derived(arrival: Arrival) -> DataFrame:
    """The versions of the affected keys become exactly those that arrive; one that does not is deleted."""
    table, identity, names = arrival.table, list(arrival.table.identity), compared(arrival.table)
    kept = rows_with_keys(arrival.current, affected_keys(arrival), [*identity, "valid_to", *names, *PLACE])
    kept = kept.select(*identity, _kept_facts(), values(table, names).alias(_KEPT_CONTENT))
    facts = _versions(arrival).withColumn(_END, _end(table, None)).join(kept, on=identity, how="full")
    op = (
        F.when(F.col(_KEPT).isNull(), INSERT)
        .when(F.col(_ARRIVED).isNull(), DELETE)
        .when(~values(table, names).eqNullSafe(F.col(_KEPT_CONTENT)), UPDATE)
        .when(_ends_elsewhere(), CLOSE)
    )
    return _history_changes(table, facts, op)


def _is_other(arrival: Arrival, content: Column, kept: Column) -> Column:
    """Whether a version that arrives again replaces the kept one: the greater does; one observed under a later snapshot if it differs."""
    return ~content.eqNullSafe(kept) if arrival.observed_at else content > kept


def _rest(table: Table) -> tuple[str, ...]:
    """What decides between two versions of one beginning."""
    return tuple(name for name in ranking(table) if name != table.load.newest_by[0])


def _versions(arrival: Arrival) -> DataFrame:
    """One arriving row per version, with `valid_from` and `_arrived`."""
    table, begin = arrival.table, arrival.table.load.newest_by[0]
    rows = arrival.arriving.withColumn("valid_from", F.col(begin))
    versions = greatest(table, rows, table.identity, _rest(table))
    return versions.withColumns({begin: F.col("valid_from"), _ARRIVED: F.lit(True)})


def _with_deletion(table: Table, kept: DataFrame) -> DataFrame:
    """Kept versions, and when their key was deleted if that is what ended them: an end at which no next version begins."""
    following = F.lead("valid_from").over(Window.partitionBy(*table.key).orderBy("valid_from"))
    deletion = F.when(~F.col("valid_to").eqNullSafe(following), F.col("valid_to"))
    return kept.select(*table.identity, _kept_facts(), deletion.alias("_deletion"))


def _kept_facts() -> Column:
    """Of a kept version what is not its identity: its end, and its place."""
    return F.struct("valid_to", *PLACE).alias(_KEPT)


def _deletions(table: Table, observed_at: datetime | None) -> Column:
    """When the row's key was deleted, as an array: as the table says, and now.

    Now: at the snapshot's time, or with the last version if that begins later. A row that arrives from a later snapshot was there then:
    it takes back the deletions between its beginning and that snapshot.
    """
    of_key = Window.partitionBy(*table.key)
    observed = F.lit(observed_at).cast("timestamp")
    arrived = F.max(F.when(F.col(_ARRIVED), F.col("valid_from"))).over(of_key)
    now = F.when(F.col("_gone") & arrived.isNull(), F.greatest(observed, F.max("valid_from").over(of_key)))
    known = F.collect_set("_deletion").over(of_key)

    def stands(at: Column) -> Column:
        return ~F.coalesce((at >= arrived) & (at < observed), F.lit(False))

    return F.filter(F.concat(known, F.array(now)), stands)


def _end(table: Table, deletions: Column | None) -> Column:
    """Where the row's version ends: at the next one's beginning or at a deletion, whichever is first; NULL if at neither."""
    following = F.lead("valid_from").over(Window.partitionBy(*table.key).orderBy("valid_from"))
    if deletions is None:
        return following
    return F.least(following, F.array_min(F.filter(deletions, lambda at: at >= F.col("valid_from"))))


def _ends_elsewhere() -> Column:
    return ~F.col(_END).eqNullSafe(F.col(f"{_KEPT}.valid_to"))


def _history_changes(table: Table, facts: DataFrame, op: Column) -> DataFrame:
    """The changes among `facts` (one row per version that arrives or is kept). A closed version keeps its content, whatever arrived."""
    places = {name: F.col(f"{_KEPT}.{name}") for name in PLACE}
    facts = facts.withColumns({OP: op, "valid_to": F.col(_END), "is_current": F.col(_END).isNull(), **places})
    content = {name: F.when(F.col(OP) != CLOSE, F.col(name)) for name in table.columns if name not in table.identity}
    return change_rows(table, facts.withColumns(content))
