"""A coupbot of its own, run in process on the suite's Spark session; read with deltalake, not with our readers."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deltalake import DeltaTable
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.config import Settings, load_project
from jobs.run.context import RunContext
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.session import Session
from jobs.runtime.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
NIGHT = ROOT / "tests/scenarios/coupbot/_night"


@dataclass(frozen=True)
class CoupbotSystem:
    home: Path
    spark: SparkSession
    warehouse: str

    def deliver(self, night: str, roster: str) -> None:
        """The six files of `_night`, with these lines as the roster's rows."""
        folder = self.home / "lake/raw/coupbot" / night
        shutil.copytree(NIGHT, folder)
        (folder / "coupbot_roster.csv").write_text(f"member_name,member_id\n{roster}\n")

    def context(self) -> RunContext:
        project = load_project(ROOT, "local")
        settings = Settings(self.home, str(self.home / "lake"), SecretStr(self.warehouse), {})
        session = Session(project, settings, Progress(), ExitStack())
        session.spark = lambda: self.spark
        return session.context("coupbot", as_of=datetime(2024, 4, 1, tzinfo=UTC))

    def run(self) -> RunReport:
        return run_pipeline(self.context(), ["snapshot"])

    def members(self) -> list[str]:
        rows = DeltaTable(str(self.home / "lake/curated/coupbot/roster")).to_pyarrow_table().to_pylist()
        return sorted(row["member_name"] for row in rows)

    def batches_of_members(self) -> set[int]:
        table = DeltaTable(str(self.home / "lake/curated/coupbot/roster")).to_pyarrow_table()
        return set(table["_batch"].to_pylist())

    def ended(self) -> list[str]:
        files = sorted((self.home / "lake/ledger/coupbot/snapshot").glob("*.outcome.json"))
        return ["void" if '"status": "void"' in file.read_text() else "committed" for file in files]
