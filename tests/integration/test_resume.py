"""What a run takes, and with what it finishes: run ids, --max-batches, and a contract that changes while a batch is open."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pydantic import SecretStr
from pyspark.sql import SparkSession

from jobs.config import Settings, load_project
from jobs.errors import StorageError
from jobs.run import curate
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress
from jobs.samples.generate import make_sample

ROOT = Path(__file__).resolve().parents[2]
MOST = 100
ONLY_SHORT_TITLES = ("title: {type: varchar(1000)", "title: {type: varchar(1000), pattern: '^.{0,12}$'")


@dataclass(frozen=True)
class Posts:
    """A stackoverflow with 250 sampled posts, read by 100."""

    root: Path
    spark: SparkSession
    source: str
    warehouse: str

    def change_contract(self, old: str, new: str) -> None:
        file = self.root / "conf/pipelines/stackoverflow.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def run(self, **options: Any) -> RunReport:
        settings = Settings(
            self.root, str(self.root / "lake"), SecretStr(self.warehouse), {"stackoverflow": SecretStr(self.source)}
        )
        session = Session(load_project(self.root, "local"), settings, Progress(), ExitStack())
        session.spark = lambda: self.spark
        context = session.context("stackoverflow", as_of=datetime(2024, 4, 1, tzinfo=UTC), **options)
        return run_pipeline(context, ["database"])

    def landings(self, batch: int) -> int:
        return len(list((self.root / "lake/landing/stackoverflow/database").glob(f"date=*/batch={batch}/attempt=*")))

    def longest_title(self, batch: int) -> int:
        rows = DeltaTable(str(self.root / "lake/curated/stackoverflow/posts")).to_pyarrow_table().to_pylist()
        return max(len(row["title"] or "") for row in rows if row["_batch"] == batch)


@pytest.fixture
def posts(tmp_path: Path, spark: SparkSession, postgres_server: EmbeddedPostgres) -> Posts:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    urls = [postgres_server.url(f"{kind}_{tmp_path.name}") for kind in ("source", "warehouse")]
    found = Posts(tmp_path, spark, *urls)
    found.change_contract("max_rows_per_batch: 100000", f"max_rows_per_batch: {MOST}")
    make_sample("stackoverflow", 1, 250, None, lambda: found.source)  # type: ignore[arg-type]  # nothing of it is a file
    return found


def numbers(report: RunReport) -> list[int]:
    assert report.exit_code == 0, report.errors
    return [plan.number for feed in report.curated for plan, _ in feed.batches]


def fail(*_: Any, **__: Any) -> None:
    raise StorageError("Writing: expected room, got none. Free space.")


def test_a_run_takes_as_many_batches_as_it_may_and_its_id_never_more(posts: Posts) -> None:
    first = posts.run(max_batches=1, run_id="first")
    again = posts.run(run_id="first")
    rest = posts.run(run_id="second")

    assert (numbers(first), numbers(again), numbers(rest)) == ([1], [], [2, 3])
    assert [load.number for feed in rest.published for load in feed.loads] == [2, 3]
    assert numbers(posts.run()) == []


def test_before_the_first_commit_a_resume_lands_again_under_the_changed_contract(
    posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(curate, "write_quarantine", fail)
        assert posts.run(max_batches=1).exit_code == 1
    posts.change_contract(*ONLY_SHORT_TITLES)

    assert numbers(posts.run(max_batches=1)) == [1]

    assert posts.landings(batch=1) == 2
    assert 0 < posts.longest_title(batch=1) <= 12


def test_after_the_first_commit_the_contract_of_that_commit_finishes_the_batch(
    posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(curate, "write_table", fail)
        assert posts.run(max_batches=1).exit_code == 1
    posts.change_contract(*ONLY_SHORT_TITLES)

    assert numbers(posts.run(max_batches=2)) == [1, 2]

    assert posts.landings(batch=1) == 1
    assert posts.longest_title(batch=1) > 12
    assert 0 < posts.longest_title(batch=2) <= 12
