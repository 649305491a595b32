"""The JSON Schemas for editors: as fresh as the models, and neither looser nor stricter on the files that we ship."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from jobs.config.schema import main, schema_texts
from tests.unit.config.test_problems import DATABASE, FILES

ROOT = Path(__file__).parents[3]


def validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / f"conf/schema/{kind}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize(("kind", "folder"), [("pipeline", "pipelines"), ("environment", "environments")])
def test_every_shipped_file_fits_its_schema(kind: str, folder: str) -> None:
    files = sorted((ROOT / "conf" / folder).glob("*.yaml"))
    assert files
    for file in files:
        first_line, document = file.read_text().splitlines()[0], yaml.safe_load(file.read_text())
        assert [error.message for error in validator(kind).iter_errors(document)] == []
        assert first_line == f"# yaml-language-server: $schema=../schema/{kind}.json"


@pytest.mark.parametrize("text", [FILES, DATABASE, DATABASE.replace("    load", "    publish: false\n    load")])
def test_other_good_files_fit_the_schema(text: str) -> None:
    assert [error.message for error in validator("pipeline").iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("owner:", "ownr:"),
        ("type: csv", "type: cvs"),
        ("id: bigint", "id: bigit"),
        ("type: varchar(40)", "type: varchar"),
        ("  people:", "  People:"),
        ("on_failure: warn", "on_failure: wran"),
        ("defaults: {", "defaults: {colour: red, "),
        ("distkey:", "distky:"),
        ("min_rows: 0", "min_rows: -1"),
    ],
)
def test_a_broken_file_does_not_fit_the_schema(old: str, new: str) -> None:
    assert old in FILES
    assert list(validator("pipeline").iter_errors(yaml.safe_load(FILES.replace(old, new, 1))))


def test_the_shipped_schemas_are_those_of_the_models() -> None:
    for name, text in schema_texts().items():
        assert (ROOT / "conf/schema" / name).read_text() == text


def test_stale_schemas_are_named_and_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "conf/schema/pipeline.json").write_text("{}")
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "conf/schema/pipeline.json: expected" in said and "environment.json" not in said
