"""Dated folders of files in modes that take rows one by one: several at once, again, too late, not yet whole."""

from __future__ import annotations

import pytest

from tests.integration.project_system import ProjectSystem, batches

FEED = """
feeds: {{files: {{type: csv, path: "{{YYYY}}-{{MM}}-{{DD}}/{{table}}.csv", late_by_days: 2}}}}
tables:
  items:
    from: files
    key: [id]
    columns: {{id: bigint, name: varchar(9), seen: date}}
    load: {items}
  visits: {{from: files, columns: {{id: bigint}}, load: {{mode: {visits}}}}}
"""
UPSERT = "{mode: upsert, newest_by: [seen]}"


@pytest.fixture
def files(depot: ProjectSystem) -> ProjectSystem:
    depot.configure(FEED.format(items=UPSERT, visits="append"))
    return depot


def deliver(files: ProjectSystem, day: int, items: str, visits: str = "") -> None:
    """One folder. `items`: `1 a` is an item with the day as `seen`; `visits`: their ids."""
    rows = "".join(f"{item.replace(' ', ',')},2024-03-{day:02d}\n" for item in items.split("; "))
    files.deliver(f"2024-03-{day:02d}/items.csv", f"id,name,seen\n{rows}")
    files.deliver(f"2024-03-{day:02d}/visits.csv", "id\n" + "".join(f"{visit}\n" for visit in visits.split()))


def test_of_several_folders_in_one_batch_the_newest_version_of_each_key_stays(files: ProjectSystem) -> None:
    deliver(files, 2, "1 new; 2 b", "2")
    deliver(files, 1, "1 old; 3 c", "1 1")

    ((plan, outcome),) = batches(files.run())

    assert [each.key.rpartition("depot/")[2] for each in plan.objects] == [
        "2024-03-01/items.csv",
        "2024-03-01/visits.csv",
        "2024-03-02/items.csv",
        "2024-03-02/visits.csv",
    ]
    assert (outcome.written["items"].written, outcome.written["items"].superseded) == (3, 1)
    assert (
        files.curated("items", "id", "name")
        == files.published("items", "id", "name")
        == [(1, "new"), (2, "b"), (3, "c")]
    )
    assert files.curated("visits", "id") == files.published("visits", "id") == [(1,), (1,), (2,)]


def test_of_a_redelivered_folder_only_what_changed_is_read_and_what_would_double_is_set_aside(
    files: ProjectSystem,
) -> None:
    deliver(files, 1, "1 a; 2 b", "1")
    batches(files.run())
    deliver(files, 1, "1 a; 2 x; 3 c", "1 7")
    deliver(files, 2, "4 d", "2")

    ((plan, _),) = batches(files.run())

    assert plan.reason == (
        "3 objects, 1 of them redelivered; set aside raw/depot/2024-03-01/visits.csv: redelivered to mode append"
    )
    assert files.curated("items", "id", "name", "_batch") == [(1, "a", 1), (2, "x", 2), (3, "c", 2), (4, "d", 2)]
    assert files.curated("visits", "id") == files.published("visits", "id") == [(1,), (2,)]
    assert batches(files.run()) == []


def test_an_incomplete_folder_waits_and_one_too_late_is_only_found_by_listing_all(files: ProjectSystem) -> None:
    deliver(files, 20, "1 a", "1")
    batches(files.run())
    deliver(files, 17, "2 late", "2")  # below the window
    deliver(files, 18, "3 just", "3")
    files.deliver("2024-03-21/items.csv", "id,name,seen\n4,d,2024-03-21\n")

    within = batches(files.run())
    waiting = files.run()
    everything = batches(files.run(list_all=True))

    assert [[each.key[10:20] for each in plan.objects] for plan, _ in within] == [["2024-03-18", "2024-03-18"]]
    assert waiting.idle["files"].waiting_for == ("raw/depot/2024-03-21/visits.csv",)
    assert [[each.key[10:20] for each in plan.objects] for plan, _ in everything] == [["2024-03-17", "2024-03-17"]]
    assert files.curated("items", "id") == files.published("items", "id") == [(1,), (2,), (3,)]
