"""The header of a CSV: its names, and which of them a contract's fields mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches

from jobs.batches import INEXACT, OFFSET, RAW, RECORD
from jobs.errors import SourceSchemaError
from jobs.sources.csv_records import fields_of


def header_names(record: bytes, object_key: str) -> tuple[str, ...]:
    """The names as delivered. Raises SourceSchemaError if they are no text, or two of them cannot be told apart."""
    try:
        names = tuple(field.decode() for field in fields_of(record))
    except UnicodeDecodeError as error:
        raise SourceSchemaError(
            f"Reading the header of {object_key}: expected UTF-8, got the byte {error.object[error.start]:#04x} "
            f"in {record[:200]!r}. Deliver the file as UTF-8 text, plain or gzip."
        ) from error
    by_folded_name = defaultdict(list)
    for name in names:
        by_folded_name[name.casefold()].append(name)
    colliding = [name for same in by_folded_name.values() if len(same) > 1 for name in same]
    if colliding:
        raise SourceSchemaError(
            f"Reading the header of {object_key}: expected names that differ whatever their case, "
            f"got {_listed(colliding)}. Rename or leave out all but one of them in the file."
        )
    reserved = [name for name in names if name in (RECORD, OFFSET, RAW) or name.startswith(INEXACT)]
    if reserved:
        raise SourceSchemaError(
            f"Reading the header of {object_key}: expected no name that Tidemark adds itself, got {_listed(reserved)}. "
            "Rename it in the file."
        )
    return names


def bind(header: Sequence[str], wanted: Sequence[str], object_key: str) -> dict[str, str]:
    """Wanted name → the header's name for it, whatever the case. Raises SourceSchemaError naming all missing ones."""
    by_folded_name = {name.casefold(): name for name in header}
    missing = [name for name in wanted if name.casefold() not in by_folded_name]
    if missing:
        raise SourceSchemaError(
            f"Binding the header of {object_key}: expected the columns "
            f"{', '.join(_with_near_misses(name, by_folded_name) for name in missing)}, "
            f"got {_listed(header, most=40)}. "
            "Correct `from` of these columns in the pipeline's file, or have the file delivered with them."
        )
    return {name: by_folded_name[name.casefold()] for name in wanted}


def _with_near_misses(name: str, by_folded_name: dict[str, str]) -> str:
    near = get_close_matches(name.casefold(), by_folded_name, n=2)
    return f"{name!r} (near: {_listed([by_folded_name[match] for match in near])})" if near else repr(name)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
