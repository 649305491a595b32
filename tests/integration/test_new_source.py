"""A sixth pipeline of each kind: one YAML file, no Python, from configuration to a row of a report in the warehouse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from jobs.config import load_project
from jobs.warehouse.postgres import open_warehouse
from jobs.warehouse.reports import run_report
from tests.integration.project_system import AS_OF, NAME, ProjectSystem, batches

CSV = """
schedule: "0 5 * * *"
feeds:
  exports: {type: csv, path: "{YYYY}-{MM}-{DD}/export_{table}.csv", timezone: Europe/Berlin}
defaults: {from: exports}
tables:
  meters:
    key: [meter_id]
    columns: {meter_id: {type: bigint, from: Meter}, town: varchar(40)}
    load: {mode: replace}
  readings:
    key: [meter_id, day]
    columns:
      meter_id: {type: bigint, from: Meter, references: meters}
      day: {type: date, from: Date}
      kwh: {type: "numeric(9,3)", minimum: 0}
    load: {mode: replace}
reports: [by_town]
"""
POSTGRES = """
schedule: "*/30 * * * *"
feeds: {erp: {type: postgres}}
defaults: {from: erp, key: [id], load: {mode: upsert, newest_by: [changed_at], deletes: {reconcile: soft}}}
tables:
  meters:
    read: {table: public.meter, cursor: changed_at}
    columns: {id: bigint, town: {type: varchar(40), transform: [trim]}, changed_at: timestamp}
  readings:
    read: {table: public.reading, cursor: changed_at}
    columns: {id: bigint, meter_id: {type: bigint, references: meters}, kwh: "numeric(9,3)", changed_at: timestamp}
reports: [by_town]
"""
EVENTS = """
feeds: {stream: {type: events, path: "iot/{YYYY}/{MM}/{DD}/{HH}/", on_unmatched: ignore}}
defaults: {from: stream, key: [id], load: {mode: insert}}
tables:
  meters:
    read: {match: {kind: installed}}
    columns: {id: varchar(36), meter_id: {type: bigint, from: meter.id}, town: {type: varchar(40), from: meter.place.town}}
  readings:
    read: {match: {kind: measured}}
    columns: {id: varchar(36), meter_id: {type: bigint, from: meter.id}, kwh: "numeric(9,3)", at: timestamp}
reports: [by_town]
"""
REPORT = """
SELECT m.town, sum(r.kwh) AS kwh FROM depot.readings AS r JOIN depot.meters AS m ON {on}
GROUP BY m.town ORDER BY m.town
"""
BY_TOWN = [("Köln", Decimal("3.750")), ("Ulm", Decimal("0.125"))]


def by_csv(depot: ProjectSystem) -> None:
    depot.deliver("2024-03-31/export_meters.csv", 'METER,Town\n1,"Köln"\n2,Ulm\n')
    depot.deliver(
        "2024-03-31/export_readings.csv",
        "Date,Meter,kWh\n2024-03-30,1,1.250\n2024-03-31,1,2.5\n2024-03-31,2,0.125\n2024-03-31,3,9\n",
    )


def by_postgres(depot: ProjectSystem) -> None:
    depot.in_source(
        "CREATE TABLE meter (id int PRIMARY KEY, town text, changed_at timestamptz DEFAULT now())",
        "CREATE TABLE reading (id int PRIMARY KEY, meter_id int, kwh numeric, changed_at timestamptz DEFAULT now())",
        "INSERT INTO meter VALUES (1, ' Köln '), (2, 'Ulm')",
        "INSERT INTO reading VALUES (1, 1, 1.25), (2, 1, 2.5), (3, 2, 0.125), (4, 3, 9)",
    )


def by_events(depot: ProjectSystem) -> None:
    installed = '{{"kind": "installed", "id": "m{0}", "meter": {{"id": {0}, "place": {{"town": "{1}"}}}}}}'
    measured = '{{"kind": "measured", "id": "{0}", "meter": {{"id": {1}}}, "kwh": {2}, "at": "2024-03-31T10:00:00Z"}}'
    depot.deliver("iot/2024/03/31/10/part-1", installed.format(1, "Köln") + installed.format(2, "Ulm"))
    depot.deliver(
        "iot/2024/03/31/11/part-1",
        measured.format("a", 1, 1.25)
        + measured.format("b", 1, 2.5)
        + '{"kind": "heartbeat"}'
        + measured.format("a", 1, 1.25),
    )
    depot.deliver("iot/2024/03/31/11/part-2", measured.format("c", 2, 0.125) + measured.format("d", 3, "true"))


@pytest.mark.parametrize(
    ("config", "fill", "on"),
    [
        (CSV, by_csv, "m.meter_id = r.meter_id"),
        (POSTGRES, by_postgres, "m.id = r.meter_id"),
        (EVENTS, by_events, "m.meter_id = r.meter_id"),
    ],
    ids=["csv", "postgres", "events"],
)
def test_one_short_file_takes_a_new_source_to_its_report(depot: ProjectSystem, config: str, fill: Any, on: str) -> None:
    depot.configure(config)
    (depot.root / "conf/reports/by_town.sql").write_text(REPORT.format(on=on))
    fill(depot)

    ((_, outcome),) = batches(depot.run())

    sql = load_project(depot.root, "local").report_sql("by_town")
    with open_warehouse(depot.warehouse) as warehouse:
        assert run_report(warehouse, "by_town", sql, AS_OF).rows == BY_TOWN
    assert outcome.quarantined == 1
    assert len((depot.root / f"conf/pipelines/{NAME}.yaml").read_text().splitlines()) < 30
