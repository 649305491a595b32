"""A whole Tidemark in a folder of its own, driven through the command line, read without Tidemark's own readers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from jobs.runtime.embedded_postgres import running_postgres
from tests.delta_rows import delta_rows

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2024-04-01"


@dataclass(frozen=True)
class System:
    """One `TIDEMARK_HOME`. Every call is a process of its own."""

    home: Path

    def command(self, *arguments: str, crash_after: int | None = None) -> list[str]:
        if crash_after is None:
            return [sys.executable, "-m", "jobs.cli", *arguments]
        return [sys.executable, str(ROOT / "tests/faults/crash_run.py"), str(crash_after), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "TIDEMARK_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "CRASH_RUN_LABELS": str(self.home / "labels.txt"),
        }

    def start(self, *arguments: str, crash_after: int | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments, crash_after=crash_after),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str, crash_after: int | None = None) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, crash_after=crash_after)
        try:
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()  # one that hangs must not disturb the tests after it
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ok(self, *arguments: str) -> dict[str, Any]:
        """The JSON document of a command that must succeed."""
        done = self.call(*arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def run(self, pipeline: str) -> dict[str, Any]:
        return self.ok("run", pipeline, "--as-of", AS_OF)

    def labels(self) -> list[str]:
        return (self.home / "labels.txt").read_text().split("\n")[:-1]

    def copy(self, home: Path) -> System:
        """The same lake, source and warehouse somewhere else; nobody may be using them."""
        subprocess.run(["cp", "-a", str(self.home), str(home)], check=True)
        return System(home)

    def remove(self) -> None:
        shutil.rmtree(self.home)

    def contents(self, pipeline: str) -> dict[str, list[str]]:
        """Every row of every curated, quarantine and warehouse table of the pipeline, sorted, as text."""
        found: dict[str, list[str]] = {}
        for log in sorted((self.home / "lake").glob(f"*/{pipeline}/*/_delta_log")):
            if log.parts[-4] in ("curated", "quarantine"):
                found["/".join(log.parts[-4:-1])] = sorted(map(_as_text, delta_rows(log.parent)))
        with running_postgres(self.home) as server, psycopg.connect(server.url("warehouse")) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s "
                "AND table_name NOT LIKE 'tidemark_staging_%%' ORDER BY 1",  # of a killed loader: the next load drops them
                [pipeline],
            ).fetchall()
            for (table,) in tables:
                wanted = "feed, n" if table == "tidemark_loads" else "*"
                cursor = connection.cursor(row_factory=dict_row)
                rows = cursor.execute(f'SELECT {wanted} FROM "{pipeline}"."{table}"').fetchall()  # type: ignore[arg-type]
                found[f"warehouse/{table}"] = sorted(map(_as_text, rows))
        return found

    def tags(self, pipeline: str) -> dict[str, list[int]]:
        """The batch numbers of the tagged commits of each Delta table, in the order of the log."""
        found: dict[str, list[int]] = {}
        for log in sorted((self.home / "lake").glob(f"*/{pipeline}/*/_delta_log")):
            found["/".join(log.parts[-4:-1])] = list(_tags(log))
        return found


def _as_text(row: dict[str, Any]) -> str:
    """The time of a deletion is that of the snapshot that missed the row, and no two runs have the same."""
    known = {name: value is not None if name == "_deleted_at" else value for name, value in row.items()}
    return repr(sorted(known.items()))


def _tags(log: Path) -> Iterator[int]:
    for commit in sorted(log.glob("*.json")):
        for line in commit.read_text().splitlines():
            if "txn" in json.loads(line):
                yield json.loads(line)["txn"]["version"]
