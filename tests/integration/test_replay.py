"""Rejected records: listed while they are open, judged again by `tidemark quarantine replay`, never lost, never doubled."""

from __future__ import annotations

import pytest

from jobs.errors import UsageError
from tests.integration.project_system import ProjectSystem, batches

CSV = """
feeds: {files: {type: csv, path: "{YYYY}-{MM}-{DD}/{table}.csv"}}
tables:
  parents: {from: files, key: [id], columns: {id: bigint}, load: {mode: insert}}
  items:
    from: files
    key: [id]
    columns: {id: bigint, parent: {type: bigint, references: parents}, name: {type: varchar(9), pattern: '^[a-z]+$'}}
    load: {mode: append}
"""
EVENTS = """
feeds: {events: {type: events, path: "{YYYY}/{MM}/{DD}/"}}
defaults: {from: events, key: [id], load: {mode: insert}}
tables:
  opened:
    read: {match: {type: opened}}
    columns: {id: bigint, who: {type: varchar(9), from: user.name, nullable: true, pattern: '^...$'}}
"""
CLOSED = """  closed:
    read: {match: {type: closed}}
    columns: {id: bigint, who: {type: varchar(9), from: user.name}}
"""
POSTGRES = """
feeds: {db: {type: postgres}}
defaults: {from: db, key: [id], load: {mode: upsert, newest_by: [updated_at]}}
tables:
  items: &items
    read: {table: public.items, cursor: updated_at}
    columns: {id: bigint, price: {type: "numeric(10,2)", minimum: 10}, updated_at: timestamp}
  cheap_items:
    <<: *items
    columns: {id: bigint, price: {type: "numeric(10,2)", maximum: 1}, updated_at: timestamp}
"""


def test_of_csv_rows_what_passes_now_arrives_once_and_what_fails_again_stays_open(depot: ProjectSystem) -> None:
    depot.configure(CSV)
    depot.deliver("2024-03-01/parents.csv", "id\n1\n")
    depot.deliver("2024-03-01/items.csv", 'id,parent,name\n1,1,good\n2,1,"In, Caps"\n3,7,orphan\n4,1,one,two\n5,x,no\n')
    batches(depot.run())
    rejected = [(each.batch, each.record) for each in depot.open("files")]
    depot.reconfigure("pattern: '^[a-z]+$'", "not_blank: true")
    depot.deliver("2024-03-02/parents.csv", "id\n7\n")
    depot.deliver("2024-03-02/items.csv", "id,parent,name\n")
    batches(depot.run())

    ((plan, outcome),) = batches(depot.replay("files"))

    assert rejected == [(1, 2), (1, 3), (1, 4), (1, 5)]
    assert (plan.reason, outcome.quarantined) == ("replay of 4 rejected records", 2)
    arrived = [(1, 1, "good"), (2, 1, "In, Caps"), (3, 7, "orphan")]
    assert depot.curated("items", "id", "parent", "name") == depot.published("items", "id", "parent", "name") == arrived
    still_open = [(each.batch, each.record, each.offset, each.raw) for each in depot.open("files")]
    assert still_open == [(3, 4, 50, "4,1,one,two"), (3, 5, 62, '{"id":"5","parent":"x","name":"no"}')]
    assert depot.quarantined("files", "_batch", "record") == [(1, 2), (1, 3), (1, 4), (1, 5), (3, 4), (3, 5)]


def test_events_are_routed_again_and_judged_by_their_own_text(depot: ProjectSystem) -> None:
    depot.configure(EVENTS)
    records = [
        '{"type": "opened", "id": 1, "user": {"name": "Ann"}}',
        '{"type": "opened", "id": 2, "user": {"name": "Robert"}}',
        '{"type": "closed", "id": 3, "user": {"name": "Cid"}}',
        '{"type": "closed", "id": 4}',
    ]
    depot.deliver("2024/03/01/web", "".join(records))
    batches(depot.run())
    tables = [each.table for each in depot.open("events")]
    depot.reconfigure("^...$", "^.{3,6}$")
    file = depot.root / "conf/pipelines/depot.yaml"
    file.write_text(file.read_text() + CLOSED)

    batches(depot.replay("events"))

    assert tables == ["opened", None, None]
    assert depot.curated("opened", "id", "who") == depot.published("opened", "id", "who") == [(1, "Ann"), (2, "Robert")]
    assert depot.curated("closed", "id", "who") == depot.published("closed", "id", "who") == [(3, "Cid")]
    assert [(each.batch, each.table, each.record, each.raw) for each in depot.open("events")] == [
        (2, "closed", 4, records[3])
    ]
    assert batches(depot.run()) == []


def test_a_row_of_postgres_is_open_once_however_often_it_is_read_and_again_after_a_replay(
    depot: ProjectSystem,
) -> None:
    depot.configure(POSTGRES)
    depot.in_source(
        "CREATE TABLE items (id bigint PRIMARY KEY, price numeric, updated_at timestamptz)",
        "INSERT INTO items VALUES (1, 5, '2100-01-01Z'), (2, 20, '2100-01-01Z')",  # above every bound: always read again
    )
    batches(depot.run())
    batches(depot.run())
    once = sorted((each.batch, str(each.table), each.record) for each in depot.open("db"))
    depot.reconfigure("minimum: 10", "minimum: 2")

    replayed = batches(depot.replay("db", *[each for each in depot.open("db") if each.table == "items"]))
    batches(depot.run())

    assert once == [(1, "cheap_items", 1), (1, "cheap_items", 2), (1, "items", 1)]
    assert [outcome.quarantined for _, outcome in replayed] == [0]
    assert depot.curated("items", "id", "_batch") == [(1, 3), (2, 1)]
    assert sorted((each.batch, str(each.table), each.record) for each in depot.open("db")) == once[:2]
    depot.reconfigure("minimum: 2", "minimum: 10")
    batches(depot.run())
    assert sorted((each.batch, str(each.table), each.record) for each in depot.open("db")) == [
        *once[:2],
        (5, "items", 1),
    ]


def test_a_whole_night_is_not_replayed(depot: ProjectSystem) -> None:
    depot.configure(CSV.replace("insert", "replace").replace("append", "replace"))

    with pytest.raises(UsageError, match="got mode replace for parents.*Deliver the file again"):
        depot.replay("files")
