"""By which name and arguments a run is found again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.emr.package import Package
from jobs.emr.request import RunRequest, feeds_of, new_run_id, require_run_id, run_id_of, step_config
from jobs.errors import UsageError

PACKAGE = Package("s3://a/jobs/app-0123456789abcdef.zip", "s3://a/jobs/d.zip", "s3://a/jobs/launch-0123456789abcdef.py")
NIGHT = RunRequest("dev", "shop", ("--full",), "night", is_named=True)


def arguments(request: RunRequest) -> list[str]:
    found: list[str] = step_config(request, 1, PACKAGE)["HadoopJarStep"]["Args"]
    return found


@pytest.mark.parametrize(
    ("name", "attempt"),
    [
        ("tidemark shop night", 1),
        ("tidemark shop night attempt 2", 2),
        ("tidemark shop night2", None),
        ("tidemark shop night attempt two", None),
        ("tidemark shops night", None),
    ],
)
def test_a_step_of_the_run_is_known_by_its_name(name: str, attempt: int | None) -> None:
    assert NIGHT.attempt_of(name) == attempt


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("feeds", [(), ("orders",), ("orders", "by_day")])
def test_the_name_of_a_step_says_its_run_and_its_feeds(feeds: tuple[str, ...], attempt: int) -> None:
    request = RunRequest("dev", "shop", (), "night", is_named=True, feeds=feeds)
    name = request.step_name(attempt)
    assert (run_id_of(name), feeds_of(name), request.attempt_of(name)) == ("night", feeds, attempt)


def test_other_feeds_of_the_same_run_are_another_step() -> None:
    orders = RunRequest("dev", "shop", (), "night", is_named=True, feeds=("orders",))
    assert NIGHT.attempt_of(orders.step_name(1)) is None
    assert orders.attempt_of(NIGHT.step_name(1)) is None


def test_what_the_job_is_given_stands_last() -> None:
    assert arguments(NIGHT)[-7:] == ["run", "shop", "--full", "--env", "dev", "--run-id", "night"]


def test_another_run_id_and_another_version_of_the_code_ask_the_same() -> None:
    older = Package(
        "s3://a/jobs/app-1111111111111111.zip", PACKAGE.dependencies, "s3://a/jobs/launch-1111111111111111.py"
    )
    other = RunRequest("dev", "shop", ("--full",), "other", is_named=False)
    assert NIGHT.asks_the_same(step_config(other, 1, older)["HadoopJarStep"]["Args"])


@pytest.mark.parametrize(
    "other",
    [
        RunRequest("dev", "shop", (), "night", is_named=True),
        RunRequest("prod", "shop", ("--full",), "night", is_named=True),
        RunRequest("dev", "shop", ("--full",), "night", is_named=True, feeds=("orders",)),
        RunRequest("dev", "shop", ("--full",), "night", is_named=True, command="backfill"),
    ],
)
def test_other_options_ask_something_else(other: RunRequest) -> None:
    assert not NIGHT.asks_the_same(arguments(other))


@pytest.mark.parametrize("foreign", [[], ["bash"], ["spark-submit", "s3://b/other.py"]])
def test_a_foreign_step_asks_something_else(foreign: list[str]) -> None:
    assert not NIGHT.asks_the_same(foreign)


def test_a_new_run_id_begins_with_the_runs_time_and_is_one_of_its_own() -> None:
    as_of = datetime(2024, 3, 2, tzinfo=UTC)
    first, second = new_run_id(as_of), new_run_id(as_of)
    assert first.startswith("20240302T000000-")
    assert first != second
    assert require_run_id(first) == first


@pytest.mark.parametrize("given", ["", "two words", "x attempt 2", "a/b", "x" * 101])
def test_a_run_id_that_no_name_can_hold_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="Reading --run-id"):
        require_run_id(given)
