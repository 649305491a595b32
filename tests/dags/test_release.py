"""`make release`: one version, whole, never changed afterwards; an Airflow that reads it has the same DAGs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.dags.airflow_project import AirflowProject
from tests.dags.parsing import parse

GOLDEN = Path(__file__).parent / "golden"


def test_a_release_has_all_that_the_dags_need_and_is_made_once(
    running: AirflowProject, tmp_path: Path, home: Path
) -> None:
    told = running.release("dev")
    address = told.partition("released: ")[2].splitlines()[0]
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    assert f'"prefix": "{prefix}"' in told and "airflow connections add tidemark_dev" in told

    storage = running.project.client("s3")
    for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for key in (each["Key"] for each in page["Contents"]):
            file = tmp_path / key.removeprefix(f"{prefix}/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(storage.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert [file.name for file in (tmp_path / "conf/environments").iterdir()] == ["dev.yaml"]
    package = json.loads((tmp_path / "release.json").read_text())["package"]
    for archive in package.values():
        place, _, key = archive.removeprefix("s3://").partition("/")
        assert storage.head_object(Bucket=place, Key=key)["ContentLength"] > 0
    found = parse(tmp_path, home, {})
    assert found.errors == {}
    assert found.dags == {file.stem: file.read_text(encoding="utf-8") for file in GOLDEN.glob("*.txt")}

    again = running.release("dev")
    assert address in again and "this version is released already" in again


def test_a_release_for_no_environment_on_emr_is_one_message(running: AirflowProject) -> None:
    assert "expected an environment whose Spark is on EMR, got 'in_process'" in running.release("local", exit_code=2)
