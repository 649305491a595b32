"""A real Airflow, as `make airflow` starts it: one scheduled run of every DAG, under its scheduler and its triggerer."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.local.airflow import make_samples, password_of, running_airflow
from infra.local.project_on_aws import PIPELINES
from tests.e2e.two_environments import Project, sources_and_aws

PATIENCE = 1200
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Api:
    """Airflow's REST API, as its admin."""

    base: str
    token: str

    def ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.base}/api/v2/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def runs(self, dag: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(f"dags/{dag}/dagRuns")["dag_runs"]
        return found

    def tasks(self, dag: str, run_id: str) -> dict[str, str]:
        found = self.ask(f"dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def logged_in(base: str, home: Path) -> Api:
    body = json.dumps({"username": "admin", "password": password_of(home)}).encode()
    request = urllib.request.Request(f"{base}/auth/token", body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return Api(base, json.load(answer)["access_token"])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Api]]:
    with sources_and_aws(tmp_path_factory.mktemp("scheduled")) as project:
        project.on_aws.make_dev()
        make_samples(project.on_aws, 200)
        project.on_aws.deliver()
        port = free_port()
        with running_airflow(project.on_aws, port) as home:
            yield project, logged_in(f"http://127.0.0.1:{port}", home)


def test_one_scheduled_run_of_every_dag_passes(airflow: tuple[Project, Api]) -> None:
    project, api = airflow
    assert api.ask("importErrors")["import_errors"] == []
    for dag in PIPELINES:
        api.ask(f"dags/{dag}", "PATCH", {"is_paused": False})
    deadline = time.monotonic() + PATIENCE
    ended: dict[str, dict[str, Any]] = {}
    while len(ended) < len(PIPELINES):
        assert time.monotonic() < deadline, {dag: api.runs(dag) for dag in PIPELINES}
        time.sleep(3)
        for dag in PIPELINES:
            finished = [run for run in api.runs(dag) if run["state"] in ENDED]
            if finished and dag not in ended:
                ended[dag] = finished[0]
                api.ask(f"dags/{dag}", "PATCH", {"is_paused": True})  # one is enough
    failed = {dag: api.tasks(dag, run["dag_run_id"]) for dag, run in ended.items() if run["state"] != "success"}
    assert failed == {}
    for dag, run in ended.items():
        assert run["run_type"] == "scheduled"
        assert api.tasks(dag, run["dag_run_id"])["report"] == "success"
    for report in ("reigns", "revenue_by_day", "party_scores", "most_followed", "posts_by_month"):
        (dev,) = project.reports(report, "dev", as_of=f"{datetime.now(UTC):%Y-%m-%d}")
        assert dev["rows"]


def test_all_of_it_listens_on_loopback_only(airflow: tuple[Project, Api]) -> None:
    listening = {
        connection.laddr
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
