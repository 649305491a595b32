"""What a good project gives: values, anchors and merge keys, names with near misses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.config import find_root, load_project
from jobs.errors import ConfigError, UsageError
from tests.unit.config.conftest import Write, problems_of

ROOT = Path(__file__).parents[3]

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
    assert list(project.pipelines) == ["coupbot", "stackoverflow"]
    assert list(project.pipeline("coupbot").tables_of("snapshot")) == [
        "roster", "channels", "message_logs", "ban_logs", "coup_attempts", "successful_coups",
    ]  # fmt: skip
    assert project.environment.environment == "local"


def test_defaults_fill_only_the_keys_that_a_table_lacks(write: Write) -> None:
    text = ANCHORS.replace("first:\n", "first:\n        load: {mode: replace, min_rows: 0}\n")
    tables = load_project(write(anchors=text)).pipeline("anchors").tables
    assert {name: (table.feed, table.load.min_rows) for name, table in tables.items()} == {
        "first": ("snapshot", 0),
        "second": ("snapshot", 1),
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
    with pytest.raises(UsageError, match=r"one of coupbot, stackoverflow, .*Did you mean 'coupbot'\?"):
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
    with pytest.raises(UsageError, match="one of messages_per_channel_per_day, posts_by_month"):
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
