"""DAGs by `dag.test()` against the embedded AWS: what a night does, a cleared run, past nights in any order, bad input."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name

from infra.local.project_on_aws import ROOT
from tests.dags.airflow_project import AirflowProject

TAKEN_IF_THERE = {"numpy"}
"""Libraries look for them and go on without."""
NIGHTS = {day: f"2024-03-0{day}" for day in (1, 2, 3)}


def rows_of(running: AirflowProject, pipeline: str, *tables: str) -> list[object]:
    return [running.project.rows("dev", pipeline, table) for table in tables]


def assert_locked(modules: Collection[str]) -> None:
    """What tasks import comes with requirements/orchestration.txt, which Airflow's machines install."""
    text = (ROOT / "requirements/orchestration.txt").read_text()
    locked = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    owners = {module: {canonicalize_name(name) for name in names} for module, names in packages_distributions().items()}
    strange = {module for module in modules if owners.get(module, locked).isdisjoint(locked | {"tidemark"})}
    assert strange - TAKEN_IF_THERE == set()


def test_coupbots_nights_are_right_in_any_order_and_cleared_ones_change_nothing(running: AirflowProject) -> None:
    """The third night first, then the first, which is older than what the tables hold, then the second; all were delivered before."""
    for day in (2, 3):
        running.project.tidemark("sample", "coupbot", "--day", str(day), "--rows", "200")
    running.project.on_aws.deliver()
    ran = [running.run("coupbot", NIGHTS[day]) for day in (3, 1, 2)]
    assert [run.state for run in ran] == ["success"] * 3, ran[0].log[-6000:]
    assert ran[0].tasks["submit"] == "success" and ran[0].tasks["remove_cluster"] == "success"

    running.project.tidemark("run", "coupbot", "--as-of", NIGHTS[3])
    tables = ("roster", "channels", "message_logs", "ban_logs", "coup_attempts", "successful_coups")
    for table in tables:
        local = running.project.rows("local", "coupbot", table)
        assert local and running.project.rows("dev", "coupbot", table) == local

    before = running.versions("coupbot", *tables)
    cleared = running.run("coupbot", NIGHTS[3])
    assert cleared.run_id == ran[0].run_id and cleared.state == "success"
    assert (cleared.tasks["look"], cleared.tasks["cluster"], cleared.tasks["step"]) == ("skipped",) * 3
    assert running.versions("coupbot", *tables) == before
    assert_locked(ran[0].modules | cleared.modules)


def test_fflogs_goes_two_ways_at_once_and_meets_in_its_report(running: AirflowProject) -> None:
    ran = running.run("fflogs", NIGHTS[1])
    assert ran.state == "success", ran.log[-6000:]
    assert ran.tasks["parses.step"] == ran.tasks["reviews.step"] == "success"
    (cluster,) = running.clusters_of("fflogs")
    assert {step.split(" of ")[1] for step in running.steps_on(cluster)} == {"parses", "reviews+party"}
    running.project.tidemark("run", "fflogs", "--as-of", NIGHTS[1])
    for table in ("user_parse", "party_review", "party"):
        local = running.project.rows("local", "fflogs", table)
        assert local and running.project.rows("dev", "fflogs", table) == local
    assert (
        running.project.report("dev", "party_scores")["rows"] == running.project.report("local", "party_scores")["rows"]
    )


def test_files_that_do_not_come_fail_the_run_and_are_named(running: AirflowProject) -> None:
    ran = running.run("coupbot", "2024-03-09")
    assert (ran.state, ran.tasks["files"]) == ("failed", "failed")
    assert "raw/coupbot/2024-03-09/coupbot_roster.csv" in ran.log and "Deliver them, then clear this task." in ran.log
    assert "cluster" not in {name for name, state in ran.tasks.items() if state == "success"}


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        ({"from": "2024-03-02", "to": "2024-03-01"}, "expected an end that is not before the start"),
        ({"from": "2024-03-02"}, "Reading --to: expected a day such as 2024-03-01, or an id, got nothing"),
        ({"from": "1", "to": "5", "full": True}, "expected either full, or from and to, got both"),
    ],
)
def test_parameters_that_cannot_be_fail_before_a_cluster_is_made(
    running: AirflowProject, conf: dict[str, object], told: str
) -> None:
    ran = running.run("shop", "2024-02-01", conf)
    assert (ran.state, ran.tasks["look"], ran.tasks["cluster"]) == ("failed", "failed", "upstream_failed")
    assert told in ran.log


def test_without_the_connection_the_task_says_how_to_add_it(running: AirflowProject) -> None:
    ran = running.run("shop", "2024-02-02", without=("AIRFLOW_CONN_TIDEMARK_DEV",))
    assert (ran.state, ran.tasks["look"]) == ("failed", "failed")
    assert "airflow connections add tidemark_dev --conn-type aws" in ran.log
