"""What a good project gives: values, anchors and merge keys, names with near misses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.config import derived_checks, find_root, load_project
from jobs.errors import ConfigError, UsageError
from tests.unit.config.conftest import Write, problems_of

ROOT = Path(__file__).parents[3]

TRANSFORMS = {"derived.last": ("identifies", "middle"), "social.fill_absent_traits": ("identifies",)}
ANCHORS = """
    pipeline: anchors
    owner: us
    feeds: {snapshot: {type: csv, path: "{YYYY}/{MM}/{DD}/{table}.csv"}}
    defaults: {from: snapshot, load: {mode: replace}}
    tables:
      first:
        columns: &columns
          id: &id bigint
          name: &short {type: varchar(10), nullable: true}
      second:
        columns:
          again: *id
          <<: *columns
          name: {<<: *short, type: text}
    """


def test_the_shipped_project_loads() -> None:
    project = load_project(ROOT)
    batches = {
        name: {each: list(pipeline.tables_of(each)) for each in pipeline.batched}
        for name, pipeline in project.pipelines.items()
    }
    assert batches == {
        "coupbot": {
            "snapshot": ["roster", "channels", "message_logs", "ban_logs", "coup_attempts", "successful_coups"]
        },
        "fflogs": {"parses": ["user_parse"], "reviews": ["party_review"], "party": ["party"]},
        "shop": {"database": ["users", "transactions"]},
        "social": {
            "events": ["identifies", "posts", "follows", "unfollows"],
            "current_follows": ["current_follows"],
            "users": ["users"],
            "users_history": ["users_history"],
        },
        "stackoverflow": {"database": ["posts"]},
    }
    assert project.environment.environment == "local"


def test_defaults_fill_only_the_keys_that_a_table_lacks(write: Write) -> None:
    text = ANCHORS.replace("first:\n", "first:\n        load: {mode: replace, min_rows: 0}\n")
    tables = load_project(write(anchors=text)).pipeline("anchors").tables
    assert {name: (table.origin, table.load.min_rows) for name, table in tables.items()} == {
        "first": ("snapshot", 0),
        "second": ("snapshot", 1),
    }


DERIVED = """
    pipeline: derived
    owner: us
    feeds: {source: {type: postgres}}
    defaults: {from: source, key: [id], publish: false, load: {mode: upsert, newest_by: [at]}}
    tables:
      last:
        from: [identifies, middle]
        key: [id]
        transform: derived.last
        columns: {id: int}
      middle:
        from: [identifies]
        key: [id]
        transform: social.fill_absent_traits
        columns: {id: int, at: timestamp}
        load: {mode: history, newest_by: [at]}
      identifies:
        read: {table: a.b}
        columns: {id: int, at: timestamp}
    """


def test_defaults_fill_no_derived_table(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived_checks, "_functions", lambda: TRANSFORMS)
    tables = load_project(write(derived=DERIVED)).pipeline("derived").tables
    assert {name: (table.load.mode, table.publish is False) for name, table in tables.items()} == {
        "last": ("recompute", False),
        "middle": ("history", False),
        "identifies": ("upsert", True),
    }


def test_a_derived_table_is_batched_after_everything_that_it_is_made_from(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived_checks, "_functions", lambda: TRANSFORMS)
    pipeline = load_project(write(derived=DERIVED)).pipeline("derived")
    assert pipeline.batched == ("source", "middle", "last")
    assert [list(pipeline.tables_of(name)) for name in pipeline.batched] == [["identifies"], ["middle"], ["last"]]


def test_a_mode_adds_its_columns_and_says_what_names_a_row(write: Write) -> None:
    load = "load: {mode: upsert, newest_by: [at], deletes: {reconcile: soft}}"
    text = DERIVED[: DERIVED.index("      last:")] + DERIVED[DERIVED.index("      identifies:") :]
    text += f"    {load}\n      history:\n        read: {{table: a.c}}\n        columns: {{id: int, at: timestamp}}\n"
    text += "        " + load.replace("upsert", "history") + "\n"
    tables = load_project(write(derived=text)).pipeline("derived").tables
    assert {name: (table.identity, table.added_columns) for name, table in tables.items()} == {
        "identifies": (("id",), {"_deleted_at": "timestamp"}),
        "history": (
            ("id", "valid_from"),
            {"valid_from": "timestamp", "valid_to": "timestamp", "is_current": "boolean"},
        ),
    }


def test_merged_keys_come_first_and_give_way_to_a_mappings_own(write: Write) -> None:
    columns = load_project(write(anchors=ANCHORS)).pipeline("anchors").tables["second"].columns
    assert [(name, str(column.type), column.nullable) for name, column in columns.items()] == [
        ("id", "bigint", False),
        ("name", "text", True),
        ("again", "bigint", False),
    ]


def test_the_first_of_several_merged_mappings_wins(write: Write) -> None:
    text = ANCHORS.replace("<<: *short, type: text", "<<: [*short, {type: date, nullable: false}]")
    column = load_project(write(anchors=text)).pipeline("anchors").tables["second"].columns["name"]
    assert (str(column.type), column.nullable) == ("varchar(10)", True)


def test_a_problem_behind_an_anchor_is_reported_where_it_is_defined_and_where_it_is_used(write: Write) -> None:
    found = problems_of(write(anchors=ANCHORS.replace("&id bigint", "&id bigit").replace("varchar(10)", "varchr(10)")))
    assert [(problem.line, problem.key) for problem in found] == [
        (8, "tables.first.columns.id.type"),
        (8, "tables.second.columns.id.type"),
        (9, "tables.first.columns.name.type"),
        (12, "tables.second.columns.again.type"),
    ]


def test_an_unknown_pipeline_names_its_near_miss_and_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"one of coupbot, fflogs, shop, social, stackoverflow, .*Did you mean 'coupbot'\?"
    ):
        load_project(ROOT).pipeline("coupbt")


def test_a_report_gives_its_sql_and_its_pipeline() -> None:
    project = load_project(ROOT)
    assert project.pipeline_of_report("reigns").pipeline == "coupbot"
    assert project.report_sql("reigns") == (ROOT / "conf/reports/reigns.sql").read_text()


def test_an_unknown_report_names_its_near_miss() -> None:
    project = load_project(ROOT)
    for ask in (project.report_sql, project.pipeline_of_report):
        with pytest.raises(UsageError, match="Did you mean 'reigns'"):
            ask("reign")
    with pytest.raises(UsageError, match="one of customers_by_value, messages_per_channel_per_day, most_followed"):
        project.report_sql("zzz")


def test_the_root_is_the_nearest_folder_upwards_with_pipelines(write: Write) -> None:
    root = write(anchors=ANCHORS)
    assert find_root(root / "conf/pipelines") == root
    assert find_root(root) == root


def test_a_missing_root_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        find_root(tmp_path)


def test_reading_the_configuration_loads_no_engine() -> None:
    code = "import jobs.config, sys; print(*{'duckdb', 'pyarrow', 'pyspark', 'obstore', 'psycopg'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    loaded = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""
