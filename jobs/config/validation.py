"""A document against its model: the model, or pydantic's errors in the words of somebody who writes YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from jobs.config.column import Column
from jobs.config.document import Document
from jobs.config.feed import Feed
from jobs.config.pipeline import Pipeline
from jobs.config.problems import Fault, Path, Problem, did_you_mean, listed, shown
from jobs.config.table import Table

Model = TypeVar("Model", bound=BaseModel)
Part = TypeVar("Part")

_MISSING = "this key"
_KINDS = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list, as in [a, b]",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_ALTERNATIVES = {
    "=feed": "the name of a feed, or a list of tables",
    "=table": "a mapping with `table` (Postgres) or `match` (events)",
    "=ignored": "ignore, or a mapping with `reconcile`",
    "=layout": "a mapping, or false",
}
"""What a value that is no member of its union was to be, by the member that it was taken for."""
_PATTERNS = {
    r"^[a-z][a-z0-9_]*$": "a name of a-z, 0-9 and _ that begins with a letter",
    r"^[^.\s]+\.[^.\s]+$": "schema.table",
    r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$": "module.function in jobs/transforms/",
}


def validated(model: type[Model], document: Document) -> tuple[Model | None, list[Problem]]:
    """The model, or every reason why it cannot be made."""
    try:
        return model.model_validate(document.value, by_alias=True, by_name=False), []
    except ValidationError as error:
        faults = [_fault(model, details) for details in error.errors(include_url=False)]
        new = [fault for fault in _told_once(faults) if not document.is_refused(fault.path)]
        return None, [document.problem(fault) for fault in new]


_SUGGESTED = re.compile(r"Did you mean '(\w+)'")


def _told_once(faults: list[Fault]) -> Iterator[Fault]:
    """Without the key that is missing because it is misspelt, and the half of a type that YAML split off as a key."""
    misspelt = {(*fault.path[:-1], match[1]) for fault in faults if (match := _SUGGESTED.search(fault.hint))}
    places = {fault.path for fault in faults}
    for fault in faults:
        is_missing = fault.expected == _MISSING and fault.path in misspelt
        is_half_a_type = re.fullmatch(r"\d+\)", str(fault.path[-1])) and (*fault.path[:-1], "type") in places
        if not is_missing and not is_half_a_type:
            yield fault


def readable_part(document: Document) -> Pipeline:
    """What of a broken pipeline file can be understood, so that its other rules are checked in the same go."""
    feeds = {name: _valid(TypeAdapter[Any](Feed), document.at("feeds", name)) for name in document.names("feeds")}
    tables = {name: _readable_table(document, name) for name in document.names("tables")}
    reports, schedule = document.at("reports"), document.at("schedule")
    return Pipeline.model_construct(
        pipeline=document.at("pipeline"),
        schedule=schedule if isinstance(schedule, str) else None,
        feeds={name: feed for name, feed in feeds.items() if feed is not None},
        tables={name: table for name, table in tables.items() if table is not None},
        reports=tuple(name for name in reports if isinstance(name, str)) if isinstance(reports, list) else (),
    )


def _readable_table(document: Document, name: str) -> Table | None:
    columns = {
        column: document.at("tables", name, "columns", column) for column in document.names("tables", name, "columns")
    }
    readable = {column: value for column, value in columns.items() if _valid(TypeAdapter(Column), value) is not None}
    table = document.at("tables", name)
    return _valid(TypeAdapter(Table), {**table, "columns": readable}) if isinstance(table, dict) else None


def _valid(kind: TypeAdapter[Part], value: object) -> Part | None:
    try:
        return kind.validate_python(value, by_alias=True, by_name=False)
    except ValidationError:
        return None


def _fault(model: type[BaseModel], details: ErrorDetails) -> Fault:
    """One of pydantic's errors: where, what was expected, what was there, what to do."""
    path, place = _place(model, details["loc"])
    got, ctx = details["input"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(path, got, list(_keys(place)))
        case "missing":
            return Fault(path, _MISSING, "nothing", "Add it.")
        case "column_type":
            return Fault(path, ctx["expected"], shown(got), ctx["hint"])
        case "union_tag_invalid":
            expected = f"one of {ctx['expected_tags']}"
            return Fault((*path, "type"), expected, repr(ctx["tag"]), did_you_mean(ctx["tag"], _words(expected)))
        case "union_tag_not_found":
            return Fault((*path, "type"), f"one of {listed(_tags(place))}", "nothing", "Add the key `type`.")
        case kind if (kind in _KINDS or kind == "literal_error") and details["loc"][-1] in _ALTERNATIVES:
            return Fault(path, _ALTERNATIVES[str(details["loc"][-1])], shown(got))
        case "literal_error":
            return Fault(path, ctx["expected"], shown(got), did_you_mean(got, _words(ctx["expected"])))
        case "string_pattern_mismatch":
            return _mismatch(path, ctx["pattern"], str(got))
        case kind if kind in _KINDS:
            is_column = ctx.get("class_name") == "Column"
            hint = "Quote it." if kind == "string_type" and isinstance(got, bool | int | float) else ""
            return Fault(path, "a type, or a mapping with one" if is_column else _KINDS[kind], shown(got), hint)
    return Fault(path, _limit(details["type"], ctx) or details["msg"], shown(got))


def _limit(kind: str, ctx: dict[str, Any]) -> str:
    limits = {
        "greater_than_equal": "at least {ge}",
        "less_than_equal": "at most {le}",
        "too_short": "at least {min_length} in it",
        "string_too_short": "a text that is not empty",
        "string_too_long": "at most {max_length} characters",
    }
    return limits.get(kind, "").format(**ctx)


def _unknown_key(path: Path, value: object, known: list[str]) -> Fault:
    key = str(path[-1])
    if path == ("defaults",):
        return Fault(path, "a mapping of a table's keys", shown(value))
    return Fault(path, f"one of the keys {listed(known)}", f"the unknown key {key!r}", did_you_mean(key, known))


def _mismatch(path: Path, pattern: str, got: str) -> Fault:
    expected = _PATTERNS.get(pattern, f"a text like {pattern}")
    if pattern not in _PATTERNS and "s3" in pattern:
        hint = "Leave it out on a laptop: the lake is then the folder $TIDEMARK_HOME/lake."
        return Fault(path, "s3://bucket/prefix", repr(got), hint)
    if got.startswith("_"):
        return Fault(
            path, expected, repr(got), "Names that begin with _ are Tidemark's own; `from` can name the source's."
        )
    plain = re.sub(r"[^a-z0-9_]+", "_", got.lower()).strip("_")
    is_name = pattern in _PATTERNS and re.fullmatch(pattern, plain)
    hint = f"Name it {plain!r}; in a column, `from: {got}` says what the source calls it." if is_name else ""
    return Fault(path, expected, repr(got), hint)


def _words(listing: str) -> list[str]:
    return re.findall(r"'([^']*)'", listing)


def _place(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[Path, Any]:
    """The path in the file, without pydantic's own marks (union tags, `[key]`), and what may stand around its last part."""
    path: list[str | int] = []
    around, here = None, model
    for part in loc:
        tagged = _tagged(here, part)
        if tagged is not None:
            here = tagged
        elif part != "[key]" and not str(part).startswith("="):
            path.append(part)
            around, here = here, _inner(here, part)
    return tuple(path), here if here is not None else around


def _members(annotation: Any) -> Iterator[Any]:
    """The alternatives of a type: itself, or what a union or Annotated holds."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif isinstance(annotation, type) or get_origin(annotation) in (dict, tuple):
        yield annotation
    else:
        for member in get_args(annotation):
            yield from _members(member)


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [kind for kind in _members(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _tags(annotation: Any) -> list[str]:
    """The values of `type` among which a union's members are told apart."""
    return [_tag(kind) for kind in _models(annotation)]


def _tag(kind: type[BaseModel]) -> str:
    """How pydantic's locations name a member of a union: by its `TAG`, or by the value of its `type`."""
    return str(kind.__dict__.get("TAG") or get_args(kind.model_fields["type"].annotation)[0])


def _tagged(annotation: Any, part: int | str) -> Any:
    """The member of a union that pydantic's location names by its tag; None if `part` is no tag."""
    models = _models(annotation)
    unions = [kind for kind in models if "TAG" in kind.__dict__ or len(models) > 1]
    return next((kind for kind in unions if part == _tag(kind)), None)


def _keys(annotation: Any) -> dict[str, Any]:
    """What may be written in a mapping of this type: key → type."""
    return {
        info.alias or name: info.annotation for kind in _models(annotation) for name, info in kind.model_fields.items()
    }


def _inner(annotation: Any, part: int | str) -> Any:
    """The type of one entry; None where there is no such key."""
    for kind in _members(annotation):
        if get_origin(kind) is dict:
            return get_args(kind)[1]
        if get_origin(kind) is tuple:
            return get_args(kind)[0]
    return _keys(annotation).get(str(part))
