"""Every folder `<pipeline>/<case>/` beside this file is a scenario: deliver, run, compare, step by step. A new case needs no Python.

Before step 1, `<pipeline>/_source.sql` makes the source's tables. `conf.yaml` in a case holds what differs from the pipeline's YAML.

`input/<step>/` (absent where nothing happens before the run) holds:
- `open.sql`: run first, in a session of its own whose transaction stays open during the run and is committed before the next step;
- `source.sql`: run next, in one transaction;
- anything else: delivered below `raw/<pipeline>/`. For a pipeline with a `_night/` these are dated folders laid over that night, where
  a file of no bytes named `<name>.absent` takes `<name>` away.

`expected/<step>.yaml` (steps 1, 2, …) says how the pipeline runs then: `as_of`, and `options`, the arguments of
`jobs.run.session.Session.context` and `feeds`; `forgotten` lists patterns of files that are taken from the lake before the run, as if a
crash had come before they were written. The other keys say what must be true afterwards; only `exit` has to be there:
- `exit` (code), `message` (part of an error), `batches` (the statuses of this run's batches in order, derived tables included),
  `written` (table → how many of its rows are last written by these batches), `ignored` (the kinds of events that were, and how many);
- `tables`: name → all rows without `_batch`, in any order, which curated and warehouse must both hold;
- `quarantine`: all of [table, record, reason, …], by batch and record; `reports`: name → rows;
- `not_in_ledger`: texts that no file of the ledger holds.

Decimals and floats are written as text ('12.50'), so that 1 is not 1.0. A time of the clock of this run, such as `now()` in
`source.sql` leaves, is written `now`.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
import yaml
from pyspark.sql import SparkSession

from jobs.runtime.embedded_postgres import EmbeddedPostgres
from tests.scenarios.scenario_system import open_scenario

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/README.md"))


def test_there_are_scenarios() -> None:
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_scenario(case: Path, tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres) -> None:
    steps = sorted(path.stem for path in (case / "expected").glob("*.yaml"))
    delivered = {path.name for path in (case / "input").iterdir()}
    assert steps == [str(number + 1) for number in range(len(steps))] and delivered <= set(steps)
    with open_scenario(case, tmp_path, spark, postgres_server) as system:
        for step in steps:
            wanted = yaml.safe_load((case / "expected" / f"{step}.yaml").read_text())
            system.forget(wanted.pop("forgotten", []))
            system.deliver(case / "input" / step)
            as_of = wanted.pop("as_of").replace(tzinfo=UTC)
            report = system.run(as_of, **wanted.pop("options", {}))
            seen = system.seen(report, as_of, wanted)
            assert seen == system.plain_form(wanted), f"step {step}: {[str(error) for error in report.errors]}"
