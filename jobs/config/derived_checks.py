"""Rules of derived tables: inputs, the affected keys, the transform, and a name of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path as FilePath

from jobs.config.column import AS_OF
from jobs.config.document import Document
from jobs.config.pipeline import Pipeline
from jobs.config.problems import Fault, Path, did_you_mean, listed
from jobs.config.table import Table

_MODES = ("recompute", "upsert", "history")


def derived_faults(name: str, table: Table, pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    """Everything that is wrong with a table as a derived one, or that only a derived one may have."""
    path: Path = ("tables", name)
    if isinstance(table.origin, str):
        yield from _of_a_feed(path, table)
        return
    if name in document.names("feeds"):
        hint = "Feeds and derived tables have their batches under one set of names."
        yield Fault(path, "a name that no feed has", repr(name), hint)
    if table.read is not None:
        yield Fault((*path, "read"), "no `read` in a derived table", "one", "`from` names what it is made from.")
    if table.load.mode not in _MODES:
        yield Fault((*path, "load", "mode"), f"one of {listed(_MODES)}", repr(table.load.mode), "Or leave `load` out.")
    if "deletes" in table.load.model_fields_set:
        yield Fault((*path, "load", "deletes"), "it in a feed's table only", "it in a derived one", "Remove it.")
    yield from _transform(path, table, document.names("tables"))
    yield from _inputs((*path, "from"), name, table, pipeline, document)
    for column, contract in table.columns.items():
        if contract.source == AS_OF and contract.type.kind not in ("date", "timestamp"):
            hint = "It holds the time of the recomputation."
            yield Fault(
                (*path, "columns", column, "type"), f"date or timestamp, from {AS_OF}", str(contract.type), hint
            )


def _of_a_feed(path: Path, table: Table) -> Iterator[Fault]:
    if table.transform is not None:
        hint = "A feed's tables are as the source has them; name this one's inputs in `from: [table]`."
        yield Fault((*path, "transform"), "it in a derived table only", repr(table.transform), hint)
    for column, contract in table.columns.items():
        if contract.source == AS_OF:
            hint = "A feed's tables are as the source has them."
            yield Fault((*path, "columns", column, "from"), "it in a derived table only", repr(AS_OF), hint)


def _inputs(path: Path, name: str, table: Table, pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    known = document.names("tables")
    if not table.inputs:
        yield Fault(path, "at least one table", "an empty list", "Name what it is made from, as in [posts].")
    for index, given in enumerate(table.inputs):
        if given not in known:
            hint = did_you_mean(given, known)
            yield Fault((*path, index), f"a table of this pipeline ({listed(known)})", repr(given), hint)
        elif given in table.inputs[:index]:
            yield Fault((*path, index), "each table once", f"{given!r} again", "Remove one.")
        elif name in _everything_behind(given, pipeline):
            yield Fault((*path, index), "a table that is not made from this one", repr(given), "Break the circle.")
        else:
            yield from _key_of_input((*path, index), table, given, pipeline, document)


def _key_of_input(path: Path, table: Table, given: str, pipeline: Pipeline, document: Document) -> Iterator[Fault]:
    """The affected keys are read off the inputs: each has the key's columns, in types that compare."""
    missing = [column for column in table.key if column not in document.names("tables", given, "columns")]
    if missing:
        hint = "The key says which rows a changed row of an input affects."
        expected = f"a table with the columns of the key ({listed(table.key)})"
        yield Fault(path, expected, f"{given} without {listed(missing)}", hint)
    if given not in pipeline.tables:  # broken, and reported as such
        return
    theirs = pipeline.tables[given].columns
    for column in table.key:
        if (
            column in theirs
            and column in table.columns
            and not table.columns[column].type.compares(theirs[column].type)
        ):
            got = f"{column} {theirs[column].type} there, {table.columns[column].type} here"
            yield Fault(path, "the key's columns in the types that they have here", got, "Give both the same type.")


def _everything_behind(name: str, pipeline: Pipeline) -> set[str]:
    """The table and all that it is made from."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += pipeline.tables[each].inputs if each in pipeline.tables else ()
    return seen


def _transform(path: Path, table: Table, tables: tuple[str, ...]) -> Iterator[Fault]:
    known = _functions()
    if table.transform is None:
        hint = "Name a function: module.function."
        yield Fault((*path, "transform"), "this key in a derived table", "nothing", hint)
    elif table.transform not in known:
        expected = f"a function in jobs/transforms/ ({listed(known)})"
        yield Fault((*path, "transform"), expected, repr(table.transform), did_you_mean(table.transform, known))
    elif table.inputs and set(table.inputs) <= set(tables) and set(table.inputs) != set(known[table.transform]):
        expected = f"the tables that {table.transform} takes ({listed(known[table.transform])})"
        hint = "A transform gets its inputs by their names: name its parameters like them."
        yield Fault((*path, "from"), expected, listed(table.inputs), hint)


@cache
def _functions() -> dict[str, tuple[str, ...]]:
    """module.function → its parameters, in jobs/transforms/. Read and not imported: transforms need pyspark, this does not."""
    found = find_spec("jobs.transforms")
    folders = map(FilePath, (found and found.submodule_search_locations) or ())
    files = sorted(file for folder in folders for file in folder.glob("[!_]*.py"))
    return {f"{file.stem}.{name}": parameters for file in files for name, parameters in _defined(file)}


def _defined(file: FilePath) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, tuple(each.arg for each in (*node.args.args, *node.args.kwonlyargs))
