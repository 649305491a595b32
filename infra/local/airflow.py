"""`make airflow`: a real Airflow beside the embedded AWS, both on loopback, with a DAG for every pipeline and a first day of every source.

Airflow's own parts are started one by one and not by `airflow standalone`, whose log servers listen on every network.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Annotated
from urllib.error import URLError

import typer

from infra.local.project_on_aws import PIPELINES, ROOT, ProjectOnAws, project_on_aws
from orchestration.operators.work import connection_of

_PARTS = {
    "api-server": ("--host", "127.0.0.1"),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
_START_SECONDS = 180
_PASSWORDS = "simple_auth_manager_passwords.json.generated"


def main(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of Airflow's page, on 127.0.0.1.")] = 8080,
    folder: Annotated[Path, typer.Option(help="Where all of it is kept; emptied at the start.")] = Path(
        ".tidemark/airflow"
    ),
    rows: Annotated[int, typer.Option(min=1, help="Rows of the largest table of each sample.")] = 1000,
) -> None:
    """Start Airflow with a DAG for every pipeline, on an AWS that is gone when this command ends."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "project/orchestration").is_dir():
        told = f"error: Emptying {folder}: expected what an earlier start has left there, got other files. Name another folder."
        typer.echo(told, err=True)
        raise typer.Exit(2)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(folder.absolute(), port, rows)
    except KeyboardInterrupt:
        print("stopped", flush=True)


def _run(folder: Path, port: int, rows: int) -> None:
    """Until it is interrupted."""
    with project_on_aws(folder) as project:
        print("making the environment dev and samples", flush=True)
        project.make_dev()
        make_samples(project, rows)
        project.deliver()
        with running_airflow(project, port) as home:
            print(f"Airflow: http://127.0.0.1:{port}, user admin, password in {home / _PASSWORDS}", flush=True)
            print(f"Logs of its parts: {home}/*.log. Stop with Ctrl-C.", flush=True)
            Event().wait()


def make_samples(project: ProjectOnAws, rows: int) -> None:
    """The first day of every source. What coupbot expects every night is delivered as last night's."""
    for pipeline in PIPELINES:
        made = project.start("sample", pipeline, "--day", "1", "--rows", str(rows))
        _, errors = made.communicate()
        if made.returncode:
            raise RuntimeError(f"Making a sample of {pipeline}: expected success, got {errors[-2000:]}")
    (night,) = (project.home / "lake/raw/coupbot").iterdir()
    night.rename(night.with_name(f"{datetime.now(UTC):%Y-%m-%d}"))


def airflow_variables(project: ProjectOnAws, home: Path) -> dict[str, str]:
    """What every process of an Airflow is given that has the project as its only bundle. The database is a file in `home`."""
    bundle = {
        "name": "tidemark",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(project.root)},
    }
    extra = {"region_name": project.dev["region"], "role_arn": project.dev["role_arn"]}
    connection = {"conn_type": "aws", "extra": extra}
    return {
        **os.environ,
        **project.variables,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        f"AIRFLOW_CONN_{connection_of('dev').upper()}": json.dumps(connection),
        "TIDEMARK_ENV": "dev",
        "PYTHONPATH": str(project.root),
        "PATH": f"{Path(sys.executable).parent}:{ROOT / '.tools/bin'}:{os.environ['PATH']}",
    }


@contextmanager
def running_airflow(project: ProjectOnAws, port: int) -> Iterator[Path]:
    """Airflow's home, when its page answers. Raises RuntimeError where a part of it ends."""
    home = project.root.parent / "airflow"
    home.mkdir()
    variables = airflow_variables(project, home)
    base = f"http://127.0.0.1:{port}"
    variables |= {"AIRFLOW__API__PORT": str(port), "AIRFLOW__API__BASE_URL": base}
    variables |= {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/"}
    print("starting Airflow", flush=True)
    subprocess.run([*_airflow(), "db", "migrate"], env=variables, cwd=project.root, check=True, capture_output=True)
    with ExitStack() as stack:
        parts = {name: stack.enter_context(_part(name, options, variables, home)) for name, options in _PARTS.items()}
        _await(f"{base}/api/v2/monitor/health", parts, home)
        yield home


def password_of(home: Path) -> str:
    """Of the user admin, as Airflow has generated it."""
    found: Mapping[str, str] = json.loads((home / _PASSWORDS).read_text())
    return found["admin"]


@contextmanager
def _part(
    name: str, options: tuple[str, ...], variables: Mapping[str, str], home: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """In a process group of its own: Ctrl-C is ours to pass on."""
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*_airflow(), name, *options], env=variables, cwd=home, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _await(url: str, parts: Mapping[str, subprocess.Popen[bytes]], home: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for name, process in parts.items():
            if process.poll() is not None:
                told = (home / f"{name}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"Starting Airflow: expected its {name} to go on, got an end. {told}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                states = json.load(answer)
            if all(
                states[part]["status"] == "healthy"
                for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
            ):
                return
        except (URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(1)
    raise RuntimeError(
        f"Starting Airflow: expected it to be healthy within {_START_SECONDS} s. Its logs are in {home}."
    )


if __name__ == "__main__":
    typer.run(main)
