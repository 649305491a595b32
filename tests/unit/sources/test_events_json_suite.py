"""The JSON parsing test suite, published by others: 318 small files, each valid (y_), invalid (n_) or up to the parser (i_)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import BatchRefusedError
from jobs.sources.events_reader import EventTable, read_events

SUITE = Path(__file__).parents[3].parent / "shared" / "data" / "json_test_suite"
FILES = sorted((SUITE / "test_parsing").glob("*.json")) + sorted((SUITE / "test_transform").glob("*.json"))

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason="the JSON test suite does not lie beside the project")

TWICE = {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}
"""Valid by the grammar; which of two values is meant is left open by the RFC, so they are refused here."""

VALID_BEFORE_THE_DAMAGE = {
    "n_array_unclosed_with_object_inside": [{}],
    "n_object_trailing_comment": [{"a": "b"}],
    "n_object_trailing_comment_open": [{"a": "b"}],
    "n_object_trailing_comment_slash_open": [{"a": "b"}],
    "n_object_trailing_comment_slash_open_incomplete": [{"a": "b"}],
    "n_object_with_trailing_garbage": [{"a": "b"}],
    "n_structure_object_followed_by_closing_object": [{}],
    "n_structure_object_with_trailing_garbage": [{"a": True}],
    "n_structure_trailing_#": [{"a": "b"}],
}
"""Files that are invalid as one document, but begin with a whole object: here that is a record, and what follows is not."""

ARRAYS_ONE_AFTER_ANOTHER = {"n_structure_double_array"}
"""Arrays may follow each other here, and these are empty."""


def _read(path: Path) -> tuple[list[Any], int]:
    """The records, as the standard library reads their text, and how many values were unreadable."""
    pieces = list(read_events([path.read_bytes()], path.name, [EventTable("all", {}, ("a",))]))
    raws = [raw for piece in pieces if piece.tables for raw in piece.tables["all"].fields["_raw"].to_pylist()]
    return [json.loads(raw) for raw in raws], sum(len(piece.unreadable) for piece in pieces)


def _files(prefix: str) -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in FILES if path.name.startswith(prefix)]


def test_the_suite_is_there() -> None:
    assert [len(_files(prefix)) for prefix in ("y_", "n_", "i_")] == [95, 188, 35]
    assert VALID_BEFORE_THE_DAMAGE.keys() | TWICE | ARRAYS_ONE_AFTER_ANOTHER <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", _files("y_"))
def test_every_valid_object_is_read_and_nothing_else_is_one(path: Path) -> None:
    content = json.loads(path.read_bytes())
    values = content if isinstance(content, list) else [content]
    objects = [value for value in values if isinstance(value, dict) and path.stem not in TWICE]
    assert _read(path) == (objects, len(values) - len(objects))


@pytest.mark.parametrize("path", _files("n_"))
def test_nothing_invalid_is_read(path: Path) -> None:
    try:
        records, unreadable = _read(path)
    except BatchRefusedError as refused:
        assert "UTF-16" in str(refused)
        return
    assert records == VALID_BEFORE_THE_DAMAGE.get(path.stem, [])
    is_blank = not path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    assert (unreadable > 0) is not (is_blank or path.stem in ARRAYS_ONE_AFTER_ANOTHER)


@pytest.mark.parametrize("path", [*_files("i_"), *_files("number_"), *_files("object_"), *_files("string_")])
def test_what_is_up_to_the_parser_is_read_or_told(path: Path) -> None:
    try:
        records, unreadable = _read(path)
    except BatchRefusedError as refused:
        assert "UTF-16" in str(refused)
        return
    assert len(records) + unreadable > 0
