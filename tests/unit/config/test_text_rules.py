"""The small languages inside the YAML, against the engines that will read them."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.config.text_rules import cron_fault, events_path_fault, path_fault, pattern_fault

PIECES = [
    *"ab01.*+?|()[]^$-{}",
    "[^",
    r"\d",
    r"\b",
    r"\B",
    r"\z",
    r"\Z",
    r"\1",
    r"\u0041",
    r"\pL",
    r"\p{L}",
    r"\\",
    r"\[",
]
PIECES += ["(?:", "(?i)", "(?x)", "(?P<n>", "(?P=n)", "(?=", "(?<=", "(?>", "(?#", "(?(1)", "{2}", "{2,}", "{1001}"]
PIECES += ["[[:alpha:]]", "[:alpha:]", "a-z", "\n", "é"]


def is_accepted_by_the_engine_of_the_row_checks(pattern: str) -> bool:
    try:
        duckdb.execute("SELECT regexp_matches('x', ?)", [pattern])
    except duckdb.Error:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
@example(r"[\b]")
@example(r"[\u0041]")
@example("[[:alpha:]")
@example("a++")
@example("(?>a)")
@example(r"(a)\1")
@example(r"a\Z")
@example("a{1001}")
def test_no_pattern_is_accepted_that_the_row_checks_would_refuse(pattern: str) -> None:
    assert pattern_fault(pattern) is not None or is_accepted_by_the_engine_of_the_row_checks(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"^[A-Za-z0-9._~%-]+$", r"^[^@\s]+@[^@\s]+$", r"\pL+\z", r"[(?=a)]", r"\\1", r"[[:alpha:]]+", "(?i)^x{2,3}$"],
)
def test_patterns_that_only_look_like_lookaround_or_backreferences_are_accepted(pattern: str) -> None:
    assert is_accepted_by_the_engine_of_the_row_checks(pattern)
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize("schedule", ["*/15 * * * *", "0 2 1,15 jan-JUN mon-5", "59 23 31 12 7", "0-30/5 * * * SUN"])
def test_a_schedule_of_five_fields_is_accepted(schedule: str) -> None:
    assert cron_fault(schedule) is None


@pytest.mark.parametrize(
    "schedule",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *"]
    + ["5-1 * * * *", "1,,2 * * * *", "a * * * *", "* * * mon *", "-1 * * * *", "² * * * *", "1- * * * *", "@daily"],
)
def test_any_other_schedule_is_refused(schedule: str) -> None:
    assert cron_fault(schedule) is not None


@pytest.mark.parametrize("path", ["{YYYY}/{MM}/{DD}/{table}.csv", "x_{YYYY}{MM}{DD}/sub/{table}/data.csv"])
def test_a_path_of_dated_folders_is_accepted(path: str) -> None:
    assert path_fault(path) is None


@pytest.mark.parametrize(
    "path",
    ["", "/", "{YYYY}-{MM}-{DD}/{table.csv", "{YYYY}-{MM}-{DD}/{table}}.csv", "{YYYY}-{MM}-{DD}/{table}/{HH}.csv"]
    + ["{table}/{YYYY}-{MM}-{DD}/x.csv", "{YYYY}-{MM}/{DD}_{table}.csv", "{YYYY}/{YYYY}-{MM}-{DD}/{table}.csv"]
    + ["s3://b/{YYYY}-{MM}-{DD}/{table}.csv", "a//{YYYY}-{MM}-{DD}/{table}.csv", "{YYYY}-{MM}-{DD}/{table}/"]
    + ["a/../{YYYY}-{MM}-{DD}/{table}.csv", "a\\{YYYY}-{MM}-{DD}/{table}.csv", "{YYYY}-{MM}-{DD}/x.csv", "{}{YYYY}/x"],
)
def test_any_other_path_is_refused(path: str) -> None:
    assert path_fault(path) is not None


@pytest.mark.parametrize("path", ["{YYYY}/{MM}/{DD}/", "a b/raw/{YYYY}/{MM}/{DD}/{HH}/", "date={YYYY}-{MM}-{DD}/x/"])
def test_a_folder_of_dated_events_is_accepted(path: str) -> None:
    assert events_path_fault(path) is None


@pytest.mark.parametrize(
    "path",
    ["", "/", "{YYYY}/{MM}/{DD}", "{YYYY}/{MM}/", "{YYYY}/{MM}/{DD}/{DD}/", "{YYYY}/{MM}/{DD}/{HH}/{HH}/", "{HH}/"]
    + ["/{YYYY}/{MM}/{DD}/", "{YYYY}//{MM}/{DD}/", "{YYYY}/{MM}/{DD}//", "../{YYYY}/{MM}/{DD}/", "./{YYYY}/{MM}/{DD}/"]
    + ["s3://b/{YYYY}/{MM}/{DD}/", "{YYYY}/{MM}/{DD}/{table}/", "{YYYY}/{MM}/{DD}/{/", "a\\{YYYY}/{MM}/{DD}/"],
)
def test_any_other_folder_of_events_is_refused(path: str) -> None:
    assert events_path_fault(path) is not None
