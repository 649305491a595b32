"""Header names: kept as delivered, bound whatever their case, refused where two cannot be told apart."""

from __future__ import annotations

import pytest

from jobs.errors import SourceSchemaError
from jobs.sources.csv_header import bind
from jobs.sources.csv_reader import open_csv


def test_names_are_kept_as_delivered() -> None:
    assert open_csv([b'\xef\xbb\xbf"id", Note ,"a ""b"",\nc",\n'], "x.csv").header == ("id", " Note ", 'a "b",\nc', "")


def test_fields_are_found_whatever_the_case_and_order() -> None:
    assert bind(("NOTE", "Id", "other"), ["ID", "note"], "x.csv") == {"ID": "Id", "note": "NOTE"}


def test_all_missing_fields_are_named_with_near_misses() -> None:
    with pytest.raises(SourceSchemaError) as refused:
        bind(("Id", "member_nam"), ["id", "member_name", "reason"], "day/x.csv")
    assert (
        "day/x.csv: expected the columns 'member_name' (near: 'member_nam'), 'reason', got 'Id', 'member_nam'."
        in str(refused.value)
    )


@pytest.mark.parametrize("header", [b"id,note,id\n", b"id,Note,ID\n", b"id,,\n"])
def test_names_that_collide_are_refused(header: bytes) -> None:
    with pytest.raises(SourceSchemaError, match=r"differ whatever their case, got '(id|)', '(id|ID|)'"):
        open_csv([header], "x.csv")


@pytest.mark.parametrize("name", ["_record", "_offset", "_raw", "_inexact_id"])
def test_a_name_that_the_reader_adds_itself_is_refused(name: str) -> None:
    with pytest.raises(SourceSchemaError, match=f"got '{name}'\\. Rename it"):
        open_csv([f"id,{name}\n".encode()], "x.csv")


def test_a_header_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(SourceSchemaError, match="expected UTF-8, got the byte 0xe9"):
        open_csv([b"id,caf\xe9\n"], "x.csv")


def test_a_header_longer_than_the_first_read_is_read_whole() -> None:
    names = [f"column {i:06} {'x' * 20}" for i in range(5000)]
    assert open_csv([",".join(names).encode() + b"\n"], "x.csv").header == tuple(names)
