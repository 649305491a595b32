"""The JSON Schemas for editors: as fresh as the models, and neither looser nor stricter on the files that we ship."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from jobs.config.schema import main, schema_texts
from tests.unit.config.good_files import CHANGES, DATABASE, EVENTS, FILES

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


@pytest.mark.parametrize(
    "text", [FILES, DATABASE, EVENTS, CHANGES, DATABASE.replace("    load", "    publish: false\n    load")]
)
def test_other_good_files_fit_the_schema(text: str) -> None:
    assert [error.message for error in validator("pipeline").iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    ("good", "old", "new"),
    [
        (FILES, "owner:", "ownr:"),
        (FILES, "type: csv", "type: cvs"),
        (FILES, "id: bigint", "id: bigit"),
        (FILES, "type: varchar(40)", "type: varchar"),
        (FILES, "  people:", "  People:"),
        (FILES, "on_failure: warn", "on_failure: wran"),
        (FILES, "defaults: {", "defaults: {colour: red, "),
        (FILES, "distkey:", "distky:"),
        (FILES, "min_rows: 0", "min_rows: -1"),
        (EVENTS, "on_unmatched: ignore", "on_unmatched: drop"),
        (EVENTS, "late_by_days: 1", "expect_within_minutes: 1"),
        (EVENTS, "type: events, ", ""),
        (EVENTS, "match:", "mach:"),
        (EVENTS, "{match: {type: track, event: Follow User}}", "{match: {}}"),
        (EVENTS, "event: Follow User", "event: 5"),
        (EVENTS, "event: Follow User}", "event: Follow User}, cursor: id"),
        (EVENTS, "[follows, unfollows]", "{a: b}"),
        (EVENTS, "[follows, unfollows]", "[Follows]"),
        (EVENTS, "social.net_follows", "net_follows"),
        (EVENTS, "mode: insert", "mode: insrt"),
        (CHANGES, "cursor: updated_at", "cursr: updated_at"),
        (CHANGES, "public.users", "users"),
        (CHANGES, "lookback_minutes: 5", "lookback_minutes: 0"),
        (CHANGES, "null_cursors: refuse", "null_cursors: drop"),
        (CHANGES, "reconcile: soft", "reconcile: maybe"),
        (CHANGES, "deletes: {reconcile: soft}", "deletes: soft"),
        (CHANGES, "max_delete_percent: 5", "max_delete_percent: 101"),
        (CHANGES, "newest_by: [updated_at]", "newest_by: updated_at"),
        (CHANGES, "[athena]", "[athna]"),
        (CHANGES, "publish: {sortkey: [valid_from]}", "publish: true"),
    ],
)
def test_a_broken_file_does_not_fit_the_schema(good: str, old: str, new: str) -> None:
    assert old in good
    assert list(validator("pipeline").iter_errors(yaml.safe_load(good.replace(old, new, 1))))


def test_defaults_and_tables_may_each_hold_what_the_other_lacks() -> None:
    without_defaults = FILES.replace("defaults: {from: snapshot, load: {mode: replace}}\n", "")
    for text in (FILES, without_defaults, EVENTS, EVENTS + "    load: {mode: recompute}\n"):
        assert [error.message for error in validator("pipeline").iter_errors(yaml.safe_load(text))] == []


def test_an_editor_explains_every_key() -> None:
    """But for `type`, where each alternative is a constant and its mapping is explained as a whole."""
    schemas = {
        kind: json.loads((ROOT / f"conf/schema/{kind}.json").read_text()) for kind in ("pipeline", "environment")
    }
    parts = schemas | {name: part for schema in schemas.values() for name, part in schema["$defs"].items()}
    parts["Column"] = parts["Column"]["anyOf"][1]  # beside its short form, the type alone
    keys = {f"{name}.{key}": item for name, part in parts.items() for key, item in part["properties"].items()}
    assert len(keys) > 40
    assert [name for name, part in parts.items() if not part.get("description")] == []
    assert [key for key, item in keys.items() if "const" not in item and not item.get("description")] == []


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
