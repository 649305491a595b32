"""One broken line at a time: where the problem is reported, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.conftest import Write, problems_of

FILES = """\
pipeline: files
owner: us
schedule: "0 0 * * *"
feeds:
  snapshot: {type: csv, path: "{YYYY}-{MM}-{DD}/{table}.csv", timezone: Europe/Berlin}
defaults: {from: snapshot, load: {mode: replace}}
tables:
  people:
    key: [id]
    columns:
      id: bigint
      name: {type: varchar(40), from: Name, pattern: '^\\S+$', on_failure: warn}
      age: {type: int, nullable: true, minimum: 0, maximum: 150}
  visits:
    columns:
      person_id: {type: bigint, references: people}
      at: timestamp
    load: {mode: replace, min_rows: 0}
    publish: {distkey: person_id, sortkey: [at]}
reports: [first]
"""
DATABASE = """\
pipeline: database
owner: us
feeds: {source: {type: postgres}}
tables:
  posts:
    from: source
    read: {table: public.posts, cursor: Id}
    key: [id]
    columns:
      id: {type: bigint, from: Id}
      body: text
      words: {type: int, nullable: true}
    load: {mode: insert}
"""

# (pipeline, what is replaced, by what, line, key, a part of the message)
BROKEN = [
    # keys and plain values
    (FILES, "owner: us", "ownr: us", 2, "ownr", "Did you mean 'owner'?"),
    (FILES, "owner: us\n", "", 1, "owner", "expected this key, got nothing"),
    (FILES, "owner: us", "owner: 5", 2, "owner", "expected a text, got the number 5. Quote it."),
    (FILES, "    columns:\n      id", "    colums:\n      id", 10, "tables.people.colums", "Did you mean 'columns'?"),
    (FILES, "on_failure: warn", "on_failure: wran", 12, "tables.people.columns.name.on_failure", "Did you mean 'warn'?"),
    (FILES, "id: bigint", "id: bigit", 11, "tables.people.columns.id.type", "Did you mean 'bigint'?"),
    (FILES, "id: bigint", "id: integer", 11, "tables.people.columns.id.type", "Did you mean 'int'?"),
    (FILES, "id: bigint", "id: 8", 11, "tables.people.columns.id", "expected a type, or a mapping with one"),
    (FILES, "id: bigint", "id:", 11, "tables.people.columns.id", "got nothing"),
    (FILES, "id: bigint", "id: varchar(70000)", 11, "tables.people.columns.id.type", "at most varchar(65535)"),
    (FILES, "type: int,", "type: numeric(10,2),", 13, "tables.people.columns.age.type", "quote the type"),
    (FILES, "minimum: 0", "minimum: '0'", 13, "tables.people.columns.age.minimum", "a whole number, got '0'"),
    (FILES, "nullable: true", "nullable: 1", 13, "tables.people.columns.age.nullable", "expected true or false"),
    (FILES, "min_rows: 0", "min_rows: yes", 18, "tables.visits.load.min_rows", "got the truth value true"),
    (FILES, "min_rows: 0", "min_rows: -1", 18, "tables.visits.load.min_rows", "expected at least 0"),
    (FILES, "    key: [id]", "    key: id", 9, "tables.people.key", "expected a list"),
    (FILES, "type: csv", "type: cvs", 5, "feeds.snapshot.type", "Did you mean 'csv'?"),
    (FILES, "type: csv, ", "", 5, "feeds.snapshot.type", "one of csv, postgres"),
    (FILES, "timezone:", "tmezone:", 5, "feeds.snapshot.tmezone", "Did you mean 'timezone'?"),
    (FILES, "distkey: ", "distky: ", 19, "tables.visits.publish.distky", "Did you mean 'distkey'?"),
    (FILES, "{distkey: person_id, sortkey: [at]}", "true", 19, "tables.visits.publish", "expected a mapping"),
    (FILES, "  people:", "  People:", 8, "tables.People", "Name it 'people'"),
    (FILES, "      age:", "      _age:", 13, "tables.people.columns._age", "Tidemark's own"),
    (FILES, "from: Name", "source: Name", 12, "tables.people.columns.name.source", "the unknown key 'source'"),
    (FILES, "{from: snapshot, load: {mode: replace}}", "snapshot", 6, "defaults", "expected a mapping"),
    (FILES, "mode: replace}}", "mode: replce}}", 6, "defaults.load.mode", "Did you mean 'replace'?"),
    (FILES, "load: {mode: replace}}", "laod: {}, load: {mode: replace}}", 6, "defaults.laod", "Did you mean 'load'?"),
    # rules between values
    (FILES, "pipeline: files", "pipeline: fils", 1, "pipeline", "expected 'files', the file's name, got 'fils'"),
    (FILES, "0 0 * * *", "0 24 * * *", 3, "schedule", "expected a hour of 0 to 23"),
    (FILES, "0 0 * * *", "@daily", 3, "schedule", "expected five fields"),
    (FILES, "Europe/Berlin", "Europe/Berln", 5, "feeds.snapshot.timezone", "Did you mean 'Europe/Berlin'?"),
    (FILES, "Europe/Berlin", "../UTC", 5, "feeds.snapshot.timezone", "expected a time zone"),
    (FILES, "{YYYY}-{MM}-{DD}/", "/{YYYY}-{MM}-{DD}/", 5, "feeds.snapshot.path", "without a leading /"),
    (FILES, "{YYYY}-{MM}-{DD}/", "../{YYYY}-{MM}-{DD}/", 5, "feeds.snapshot.path", "without a leading /, .."),
    (FILES, "{YYYY}-{MM}-{DD}/", "{YYYY}-{MM}/", 5, "feeds.snapshot.path", "expected {DD} once"),
    (FILES, "{YYYY}-{MM}-{DD}/", "{YYY}-{MM}-{DD}/", 5, "feeds.snapshot.path", "Did you mean '{YYYY}'?"),
    (FILES, "{YYYY}-{MM}-{DD}/", "{YYYY}-{MM}-{DD}_", 5, "feeds.snapshot.path", "expected the date in a folder"),
    (FILES, "{from: snapshot,", "{from: snapshots,", 6, "defaults.from", "Did you mean 'snapshot'?"),
    (FILES, "feeds:", "feeds:\n  more: {type: postgres}", 5, "feeds.more", "expected a table that is read with this feed"),
    (FILES, "key: [id]", "key: [idd]", 9, "tables.people.key[0]", "Did you mean 'id'?"),
    (FILES, "key: [id]", "key: [id, id]", 9, "tables.people.key[1]", "each column once"),
    (FILES, "key: [id]", "key: [age]", 13, "tables.people.columns.age.nullable", "A NULL equals no key"),
    (FILES, "references: people", "references: persons", 16, "tables.visits.columns.person_id.references", "a table of"),
    (FILES, "references: people", "references: visits", 16, "tables.visits.columns.person_id.references", "one key"),
    (FILES, "id: {type: bigint, ref", "id: {type: int, ref", 16, "tables.visits.columns.person_id.references", "same type"),
    (FILES, "distkey: person_id", "distkey: perso_id", 19, "tables.visits.publish.distkey", "Did you mean 'person_id'?"),
    (FILES, "sortkey: [at]", "sortkey: [on]", 19, "tables.visits.publish.sortkey[0]", "expected a text, got the truth"),
    (FILES, "sortkey: [at]", "diststyle: all", 19, "tables.visits.publish.diststyle", "beside a distkey"),
    (FILES, "'^\\S+$'", "'^(a'", 12, "tables.people.columns.name.pattern", "expected a regular expression"),
    (FILES, "'^\\S+$'", "'(?=a)b'", 12, "tables.people.columns.name.pattern", "a lookaround"),
    (FILES, "'^\\S+$'", "'(a)\\1'", 12, "tables.people.columns.name.pattern", "a backreference"),
    (FILES, "type: int,", "type: int, not_blank: true,", 13, "tables.people.columns.age.not_blank", "text column only"),
    (FILES, "type: int,", "type: int, transform: [trim],", 13, "tables.people.columns.age.transform", "text column"),
    (FILES, "type: int,", "type: int, one_of: ['1'],", 13, "tables.people.columns.age.one_of", "text column only"),
    (FILES, "at: timestamp", "at: {type: timestamp, maximum: 9}", 17, "tables.visits.columns.at.maximum", "a number only"),
    (FILES, "minimum: 0", "minimum: 200", 13, "tables.people.columns.age.minimum", "at most the maximum, 150"),
    (FILES, "pattern: '^\\S+$', ", "", 12, "tables.people.columns.name.on_failure", "expected a check beside it"),
    (FILES, "      age:", "      ctid:", 13, "tables.people.columns.ctid", "system column"),
    (FILES, "  visits:", "  tidemark_loads:", 14, "tables.tidemark_loads", "Tidemark's own"),
    (FILES, "    load: {mode: replace, min_rows: 0}", "    key: [at]\n    load: {mode: insert}", 19,
     "tables.visits.load.mode", "this table would lose rows"),
    (FILES, "    key: [id]", "    key: [id]\n    read: {table: a.b, cursor: id}", 10, "tables.people.read", "csv feed"),
    (FILES, "[first]", "[frist]", 20, "reports[0]", "Did you mean 'first'?"),
    (FILES, "[first]", "[first, first]", 20, "reports[1]", "a report that no other line lists"),
    (DATABASE, "    read: {table: public.posts, cursor: Id}\n", "", 5, "tables.posts.read", "Add `read:"),
    (DATABASE, "public.posts", "posts", 7, "tables.posts.read.table", "expected schema.table"),
    (DATABASE, "cursor: Id", "cursor: id", 7, "tables.posts.read.cursor", "Did you mean 'Id'?"),
    (DATABASE, "cursor: Id", "cursor: body", 7, "tables.posts.read.cursor", "got body text"),
    (DATABASE, "cursor: Id", "cursor: words", 12, "tables.posts.columns.words.nullable", "would never be read"),
    (DATABASE, "mode: insert", "mode: replace", 13, "tables.posts.load.mode", "never the whole table"),
    (DATABASE, "mode: insert", "mode: insert, min_rows: 5", 13, "tables.posts.load.min_rows", "mode replace only"),
    (DATABASE, "    key: [id]\n", "", 12, "tables.posts.load.mode", "expected a table with a `key`"),
    (DATABASE, "source: {type: postgres}", "source: {type: postgres}, source: {type: postgres}", 3, "feeds.source", "line 3"),
    # YAML itself
    (DATABASE, "      body: text", "      body: text\n      id: int", 12, "tables.posts.columns.id", "the first is on line 10"),
    (DATABASE, "nullable: true", "null: true", 12, "tables.posts.columns.words.null", "YAML reads as the key None"),
    (DATABASE, "words:", "on:", 12, "tables.posts.columns.on", "YAML reads as the truth value true"),
    (DATABASE, "owner: us", "owner: 'us", 2, "", "expected valid YAML"),
    (DATABASE, "owner: us", "\towner: us", 2, "", "expected valid YAML"),
    (DATABASE, "owner: us", "owner: *us", 2, "", "expected valid YAML, got found undefined alias"),
    (DATABASE, "owner: us", "owner: !!python/name:os.system x", 2, "owner", "the tag !!python/name:os.system"),
    (DATABASE, "columns:", "columns: &all\n      again: *all", 10, "tables.posts.columns.again", "an anchor inside itself"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("good", "old", "new", "line", "key", "words"),
    BROKEN,
    ids=[f"{case[4] or 'yaml'} {case[2][:25]!r}" for case in BROKEN],
)
def test_a_broken_value_is_reported_on_its_line(
    write: Write, good: str, old: str, new: str, line: int, key: str, words: str
) -> None:
    name = "files" if good is FILES else "database"
    assert good.count(old) >= 1
    found = problems_of(write(**{name: good.replace(old, new, 1)}))
    reported = [(problem.file, problem.line, problem.key) for problem in found if words in str(problem)]
    assert reported == [(f"conf/pipelines/{name}.yaml", line, key)], [str(problem) for problem in found]


def test_the_files_that_are_broken_above_are_good_by_themselves(write: Write) -> None:
    assert problems_of(write(files=FILES, database=DATABASE)) == []


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
@given(st.sampled_from([FILES, DATABASE]), st.data())
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


def test_thirteen_published_tables_do_not_fit_one_warehouse_transaction(write: Write) -> None:
    tables = [f"  t{number}: {{columns: {{id: int}}}}\n" for number in range(13)]
    head = FILES[: FILES.index("tables:")] + "tables:\n"
    assert problems_of(write(files=head + "".join(tables[:12]))) == []
    found = problems_of(write(files=head + "".join(tables)))
    assert [(problem.line, problem.key, problem.got) for problem in found] == [(5, "feeds.snapshot", "13")]
    unpublished = "  t12: {columns: {id: int}, publish: false}\n"
    assert problems_of(write(files=head + "".join(tables[:12]) + unpublished)) == []


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
