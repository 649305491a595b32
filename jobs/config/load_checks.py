"""Rules of a table's load mode: what each asks of the key, of `newest_by`, and of what else stands in `load`."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.config.problems import Fault, Path, did_you_mean, listed
from jobs.config.table import Deletes, Table

_KEYED = ("insert", "upsert", "history", "recompute")
_VERSIONED = ("upsert", "history")
_ONLY = {"min_rows": ("replace",), "max_shrink_percent": ("replace",), "newest_by": _VERSIONED, "deletes": _VERSIONED}


def load_faults(path: Path, table: Table, columns: tuple[str, ...]) -> Iterator[Fault]:
    """Everything that is wrong with a table's `load` by itself. `columns`: names as written, of broken ones too."""
    load = table.load
    if load.mode in _KEYED and not table.key:
        hint = "Add the key that names one row."
        yield Fault((*path, "mode"), "a table with a `key`", f"{load.mode} without one", hint)
    for name, modes in _ONLY.items():
        if name in load.model_fields_set and load.mode not in modes:
            yield Fault((*path, name), f"it with mode {' or '.join(modes)} only", f"it with {load.mode}", "Remove it.")
    if load.mode in _VERSIONED:
        yield from _order(path, table, columns)
    if load.mode == "history" and isinstance(load.deletes, Deletes) and load.deletes.reconcile == "hard":
        hint = "A history keeps what was: a deletion ends the current version."
        yield Fault((*path, "deletes", "reconcile"), "soft, with mode history", "'hard'", hint)


def _order(path: Path, table: Table, columns: tuple[str, ...]) -> Iterator[Fault]:
    named = table.load.newest_by
    if not named:
        hint = "Add the columns that say which of two versions is newer, as in `newest_by: [updated_at]`."
        yield Fault((*path, "newest_by"), f"this key with mode {table.load.mode}", "nothing", hint)
    for index, name in enumerate(named):
        place = (*path, "newest_by", index)
        if name not in columns:
            hint = did_you_mean(name, columns) or f"Its columns: {listed(columns)}."
            yield Fault(place, "a column of the table", repr(name), hint)
        elif name in named[:index]:
            yield Fault(place, "each column once", f"{name!r} again", "Remove one.")
        elif name in table.key:
            hint = "All versions of a row have the same key: it cannot order them."
            yield Fault(place, "a column that is not in the key", repr(name), hint)
        elif name in table.columns and table.columns[name].nullable:
            hint = "A version without a place in the order can be neither newer nor older."
            yield Fault(place, "a column that is not nullable", repr(name), hint)
    if table.load.mode == "history" and named and named[0] in table.columns:
        yield from _beginning((*path, "newest_by", 0), table, named[0])


def _beginning(place: Path, table: Table, name: str) -> Iterator[Fault]:
    """The first column of a history's order is when a version begins; deletions, which end one, are instants."""
    kind = table.columns[name].type
    if kind.kind not in ("timestamp", "date"):
        hint = "Name the column that says since when a version holds."
        yield Fault(place, "a timestamp or a date first, the beginning of a version", f"{name} {kind}", hint)
    elif kind.kind == "date" and isinstance(table.load.deletes, Deletes):
        hint = "A row that was deleted and came back on one day would have no order: name a timestamp, or remove `deletes`."
        yield Fault(place, "a timestamp first, as deletions are instants", f"{name} date", hint)
