"""One broken line at a time: where the problem is reported, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.batches import OFFSET, RAW, RECORD
from jobs.config.column import RESERVED_FIELDS
from tests.unit.config.broken_lines import BROKEN
from tests.unit.config.conftest import Write, problems_of
from tests.unit.config.good_files import CHANGES, DATABASE, EVENTS, FILES, GOOD


@pytest.mark.parametrize(
    ("good", "old", "new", "line", "key", "words"),
    BROKEN,
    ids=[f"{case[4] or 'yaml'} {case[2][:25]!r}" for case in BROKEN],
)
def test_a_broken_value_is_reported_on_its_line(
    write: Write, good: str, old: str, new: str, line: int, key: str, words: str
) -> None:
    name = next(name for name, text in GOOD.items() if text is good)
    assert good.count(old) >= 1
    found = problems_of(write(**{name: good.replace(old, new, 1)}))
    reported = [(problem.file, problem.line, problem.key) for problem in found if words in str(problem)]
    assert reported == [(f"conf/pipelines/{name}.yaml", line, key)], [str(problem) for problem in found]


def test_the_files_that_are_broken_above_are_good_by_themselves(write: Write) -> None:
    assert problems_of(write(**GOOD)) == []


def test_all_problems_of_all_files_come_at_once_in_the_order_of_their_lines(write: Write) -> None:
    root = write(
        files=FILES.replace("owner: us", "owner: 1")
        .replace("bigint\n", "bigit\n", 1)
        .replace("distkey: p", "distkey: q"),
        database=DATABASE.replace("cursor: Id", "cursor: Ib").replace("    key: [id]", "    key: [it]"),
    )
    (root / "conf/environments/local.yaml").write_text("environment: locl\ncompute: {type: in_process, coers: 2}\n")
    assert [(problem.file.rpartition("/")[2], problem.line, problem.key) for problem in problems_of(root)] == [
        ("local.yaml", 1, "environment"),
        ("local.yaml", 1, "warehouse"),
        ("local.yaml", 2, "compute.coers"),
        ("database.yaml", 7, "tables.posts.read.cursor"),
        ("database.yaml", 8, "tables.posts.key[0]"),
        ("files.yaml", 2, "owner"),
        ("files.yaml", 11, "tables.people.columns.id.type"),
        ("files.yaml", 19, "tables.visits.publish.distkey"),
    ]


def test_the_other_rules_of_a_table_are_checked_beside_its_broken_column(write: Write) -> None:
    broken = FILES.replace("age: {type: int,", "age: {type: itn,").replace("key: [id]", "key: [idd]")
    assert [problem.key for problem in problems_of(write(files=broken))] == [
        "tables.people.key[0]",
        "tables.people.columns.age.type",
    ]


ODD = [
    "null",
    "[]",
    "{}",
    "5",
    "true",
    "''",
    "[null]",
    "{a: }",
    "[[x]]",
    "{x: {y: z}}",
    ".nan",
    "2020-01-01",
    "name",
    "int",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*GOOD.values()]), st.data())
def test_whatever_stands_in_a_file_gives_problems_and_no_crash(write: Write, good: str, data: st.DataObject) -> None:
    lines = good.splitlines()
    for number in data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=3)):
        key, _, _ = lines[number].partition(":")
        lines[number] = f"{key}: {data.draw(st.sampled_from(ODD))}"
    found = problems_of(write(files="\n".join(lines)))
    assert all(problem.line and problem.file == "conf/pipelines/files.yaml" for problem in found)


def test_a_broken_column_is_not_also_reported_where_it_is_named(write: Write) -> None:
    found = problems_of(write(database=DATABASE.replace("id: {type: bigint, from: Id}", "id: {type: bigit, from: Id}")))
    assert [problem.key for problem in found] == ["tables.posts.columns.id.type"]


def test_a_misspelt_key_is_not_also_reported_as_missing(write: Write) -> None:
    found = problems_of(write(database=DATABASE.replace("columns:", "colums:")))
    assert [problem.key for problem in found] == ["tables.posts.colums"]


def test_a_problem_in_defaults_is_reported_once_for_all_tables(write: Write) -> None:
    found = problems_of(write(files=FILES.replace("defaults: {", "defaults: {colour: red, ")))
    assert [(problem.line, problem.key) for problem in found] == [(6, "defaults.colour")]


def test_twelve_published_tables_do_not_fit_one_warehouse_transaction(write: Write) -> None:
    tables = [f"  t{number}: {{columns: {{id: int}}}}\n" for number in range(12)]
    head = FILES[: FILES.index("tables:")] + "tables:\n"
    assert problems_of(write(files=head + "".join(tables[:11]))) == []
    found = problems_of(write(files=head + "".join(tables)))
    assert [(problem.line, problem.key, problem.got) for problem in found] == [(5, "feeds.snapshot", "12")]
    unpublished = "  t11: {columns: {id: int}, publish: false}\n"
    assert problems_of(write(files=head + "".join(tables[:11]) + unpublished)) == []


JARGON = ("=", "Input should", "pydantic", "union", "[key]", "tuple", "function-", "Discriminator")


@pytest.mark.parametrize(
    "value", ["null", "5", "true", "''", "word", "[]", "[null]", "[5]", "{}", "{a: b}", "2020-01-01"]
)
@pytest.mark.parametrize("key", ["from", "read", "key", "columns", "load", "publish", "readers", "deletes", "match"])
def test_a_value_of_any_kind_in_any_place_is_refused_in_the_words_of_yaml(write: Write, key: str, value: str) -> None:
    """What is right for one key (`publish: {}`) is no problem; nothing else may be told in the parser's words."""
    table = {"from": "source", "read": "{table: a.b}", "key": "[id]", "columns": "{id: int}", "load": "{mode: insert}"}
    inside = {"deletes": ("load", "{mode: upsert, newest_by: [id], deletes: %s}"), "match": ("read", "{match: %s}")}
    name, text = inside.get(key, (key, "%s"))
    table |= {name: text % value}
    lines = "\n".join(f"    {name}: {given}" for name, given in table.items())
    text = f"pipeline: files\nowner: us\nfeeds: {{source: {{type: postgres}}}}\ntables:\n  one:\n{lines}\n"
    said = [str(problem) for problem in problems_of(write(files=text))]
    assert [message for message in said if any(word in message for word in JARGON)] == []


@pytest.mark.parametrize(
    ("table", "stays"),
    [
        ("people", "{mode: upsert, newest_by: [at]}"),
        ("people", "{mode: upsert, newest_by: [on_day]}"),
        ("people", "{mode: history, newest_by: [on_day]}"),
        ("people", "{mode: history, newest_by: [at], deletes: {reconcile: soft}}"),
        ("people", "{mode: history, newest_by: [at, on_day], deletes: ignore}"),
        ("people", "{mode: upsert, newest_by: [on_day], deletes: {reconcile: hard, max_delete_percent: 100}}"),
        ("people", "{mode: insert}"),
    ],
)
def test_what_the_rules_of_a_load_allow(write: Write, table: str, stays: str) -> None:
    text = f"""\
        pipeline: files
        owner: us
        feeds: {{source: {{type: postgres}}}}
        tables:
          {table}:
            from: source
            read: {{table: a.b}}
            key: [id]
            columns: {{id: int, at: timestamp, on_day: date}}
            load: {stays}
        """
    assert problems_of(write(files=text)) == []


def test_the_fields_that_no_column_may_read_are_those_that_sources_add() -> None:
    assert set(RESERVED_FIELDS) == {RECORD, OFFSET, RAW}


@pytest.mark.parametrize("name", ["pg_shop", "information_schema"])
def test_a_pipeline_is_not_named_like_a_schema_of_postgres_own(write: Write, name: str) -> None:
    (found,) = problems_of(write(**{name: DATABASE.replace("pipeline: database", f"pipeline: {name}")}))
    assert (found.line, found.key, found.expected) == (1, "pipeline", "a name that can be a schema")


def test_a_circle_is_told_for_every_table_in_it_and_for_none_that_only_reads_from_it(write: Write) -> None:
    derived = "  {}: {{from: [{}], key: [id], transform: social.fill_absent_traits, columns: {{id: bigint}}}}\n"
    text = CHANGES + derived.format("first", "second") + derived.format("second", "third")
    text += derived.format("third", "first") + derived.format("reader", "first")
    found = problems_of(write(changes=text))
    assert [problem.key for problem in found if problem.hint == "Break the circle."] == [
        f"tables.{name}.from[0]" for name in ("first", "second", "third")
    ]


def test_the_functions_of_the_transforms_are_found_without_importing_them(write: Write) -> None:
    (found,) = problems_of(write(events=EVENTS.replace("social.net_follows", "social.zzz")))
    assert "social.net_follows" in found.expected and "fflogs.classify_parties" in found.expected
    assert "social._" not in found.expected


def test_a_report_belongs_to_one_pipeline(write: Write) -> None:
    found = problems_of(write(files=FILES, database=DATABASE + "reports: [first]\n"))
    assert [(problem.file, problem.key) for problem in found] == [("conf/pipelines/files.yaml", "reports[0]")]
    assert "'database'" in found[0].expected


@pytest.mark.parametrize(
    "content", [b"", b"# nothing\n", b"- a list\n", b"word", b"a: 1\n---\nb: 2\n", b"\xff\xfe\x00", b"a: \x00"]
)
def test_a_file_that_holds_no_mapping_is_one_problem(write: Write, content: bytes) -> None:
    root = write(files=FILES)
    (root / "conf/pipelines/empty.yaml").write_bytes(content)
    assert [problem.file for problem in problems_of(root)] == ["conf/pipelines/empty.yaml"]


def test_missing_folders_are_problems(tmp_path: Path) -> None:
    assert {problem.file for problem in problems_of(tmp_path)} == {"conf/pipelines", "conf/environments"}


def test_an_unknown_environment_is_a_problem_with_a_near_miss(write: Write) -> None:
    found = problems_of(write(files=FILES), "locale")
    assert [(problem.file, problem.hint) for problem in found] == [("conf/environments", "Did you mean 'local'?")]


def test_a_file_that_ends_in_yml_is_not_overlooked(write: Write) -> None:
    root = write(files=FILES)
    (root / "conf/pipelines/more.yml").write_text(DATABASE)
    assert [problem.file for problem in problems_of(root)] == ["conf/pipelines/more.yml"]
