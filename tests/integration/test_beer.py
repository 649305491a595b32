"""A real site through `stackoverflow`, end to end: dump → Postgres → curated → warehouse → reports, three runs.

What comes out is read with deltalake and psycopg and compared with rows that Python takes from the XML.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.config.project import load_project
from jobs.config.settings import load_settings
from jobs.run.pipeline_run import RunReport, run_pipeline
from jobs.run.session import Session
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from jobs.runtime.progress import Progress
from jobs.warehouse.postgres import open_warehouse
from jobs.warehouse.reports import run_report
from tests.integration.beer import DUMP, PROJECT, Post, create_posts, insert_posts, posts_of_dump

pytestmark = pytest.mark.skipif(
    not (DUMP / "Posts.xml").exists(),
    reason=f"no dump of the beer site at {DUMP}: put it there, or set TIDEMARK_SHARED to the folder that holds data/",
)

ROWS_PER_BATCH = 700
COLUMNS = "id post_type_id parent_id title body tags score owner_user_id creation_date".split()

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Seen:
    """One run, and what lay where after it, both tables by id."""

    report: RunReport
    curated: list[Row]
    batches: dict[int, int]
    warehouse: list[Row]
    quarantine: list[Row]
    reports: dict[str, list[Row]]


@dataclass(frozen=True)
class Story:
    """The posts in the source at first, those that came later, and the three runs: first, nothing new, new posts."""

    posts: list[Post]
    later: list[Post]
    first: Seen
    second: Seen
    third: Seen


class Site:
    """The source, a lake and a warehouse of their own, and a project whose batches are small."""

    def __init__(self, home: Path, spark: SparkSession, server: EmbeddedPostgres) -> None:
        self.spark = spark
        self.source, self.warehouse = (server.url(f"{home.name}_{name}") for name in ("source", "warehouse"))
        shutil.copytree(PROJECT / "conf", home / "conf")
        file = home / "conf/pipelines/stackoverflow.yaml"
        text = file.read_text()
        assert text.count("max_rows_per_batch: 100000") == 1
        file.write_text(text.replace("max_rows_per_batch: 100000", f"max_rows_per_batch: {ROWS_PER_BATCH}"))
        self.project = load_project(home)
        addresses = {"TIDEMARK_CONN_STACKOVERFLOW_URL": self.source, "TIDEMARK_WAREHOUSE_URL": self.warehouse}
        self.settings = load_settings(self.project, addresses)

    def run(self) -> Seen:
        with ExitStack() as stack:
            session = Session(self.project, self.settings, Progress(), stack)
            session.spark = lambda: self.spark
            report = run_pipeline(session.context("stackoverflow"), ["database"])
        assert report.errors == []
        curated = self.delta("curated/stackoverflow/posts")
        quarantine = self.delta("quarantine/stackoverflow/database")
        return Seen(
            report=report,
            curated=sorted(tuple(_naive(row[name]) for name in COLUMNS) for row in curated),
            batches={row["id"]: row["_batch"] for row in curated},
            warehouse=self.published(),
            quarantine=sorted((row["record"], row["table"], *row["reasons"]) for row in quarantine),
            reports={name: self.report(name) for name in ("posts_by_month", "top_owners")},
        )

    def delta(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = DeltaTable(f"{self.settings.lake_url}/{path}").to_pyarrow_table().to_pylist()
        return rows

    def published(self) -> list[Row]:
        with psycopg.connect(self.warehouse) as connection:
            return connection.execute(f"SELECT {', '.join(COLUMNS)} FROM stackoverflow.posts ORDER BY id").fetchall()

    def report(self, name: str) -> list[Row]:
        with open_warehouse(self.warehouse) as warehouse:
            return run_report(warehouse, name, self.project.report_sql(name), datetime(2024, 1, 1, tzinfo=UTC)).rows


def _naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, postgres_server: EmbeddedPostgres) -> Story:
    """Run, run again, let new posts arrive, run a third time."""
    site = Site(tmp_path_factory.mktemp("beer"), spark, postgres_server)
    dump = posts_of_dump()
    posts = dump + odd_posts(dump)
    create_posts(site.source)
    insert_posts(site.source, posts)
    first = site.run()
    second = site.run()
    later = later_posts(posts)
    insert_posts(site.source, later)
    return Story(posts, later, first, second, site.run())


def odd_posts(dump: list[Post]) -> list[Post]:
    """What must not arrive, and two long bodies that must: the last of them has exactly as many bytes as a text may have."""
    answer, highest = next(post for post in dump if post.post_type_id == 2), max(post.id for post in dump)
    bodies = ["", " \n\t\u00a0\u2003", None, "é" * 35_000, "🍺" * 15_000, "é" * 32_767 + "e"]
    return [replace(answer, id=highest + number, body=body) for number, body in enumerate(bodies, start=1)]


def later_posts(posts: list[Post]) -> list[Post]:
    """Three above every id so far, all of them answers, and one that fills a gap just below: it committed late."""
    answer, ids = next(post for post in posts if post.post_type_id == 2), {post.id for post in posts}
    gap = max(set(range(1, max(ids))) - ids)
    bodies = {max(ids) + 1: "NaN", max(ids) + 2: "007", max(ids) + 9: 'a "quoted", body}{\r\n', gap: "late"}
    return [replace(answer, id=number, body=body) for number, body in bodies.items()]


def rows_of(posts: list[Post]) -> list[Row]:
    """The rows that posts with a body give, by id."""
    kept = [post for post in posts if post.body and post.body.strip() and len(post.body.encode()) <= 65_535]
    dated = [replace(post, creation_date=datetime.fromisoformat(post.creation_date)) for post in kept]  # type: ignore[arg-type]
    return sorted(tuple(getattr(post, name) for name in COLUMNS) for post in dated)


def test_exactly_the_posts_with_a_body_arrive_byte_for_byte(story: Story) -> None:
    expected = rows_of(story.posts)
    assert len(expected) == 2106 - 27 + 2
    assert differences(story.first.curated, expected) == []
    assert differences(story.first.warehouse, expected) == []


def differences(got: list[Row], expected: list[Row]) -> list[tuple[Row | None, Row | None]]:
    """Pairs of rows with one id that are not alike, None where there is none; five at most."""
    of_got, of_expected = {row[0]: row for row in got}, {row[0]: row for row in expected}
    assert len(of_got) == len(got), "an id came twice"
    ids = sorted(of_got.keys() | of_expected.keys())
    return [(of_got.get(n), of_expected.get(n)) for n in ids if of_got.get(n) != of_expected.get(n)][:5]


def test_an_answer_has_no_title(story: Story) -> None:
    for rows in (story.first.curated, story.first.warehouse, story.third.curated, story.third.warehouse):
        titles = [row[COLUMNS.index("title")] for row in rows if row[COLUMNS.index("post_type_id")] == 2]
        assert len(titles) > 1000
        assert set(titles) == {None}


def test_a_body_that_is_missing_or_too_long_is_quarantined_and_named(story: Story) -> None:
    missing, too_long = (next(post.id for post in story.posts if post.body == body) for body in (None, "é" * 35_000))
    expected = [
        (missing, "posts", "body: expected a value, got NULL"),
        (too_long, "posts", f"body: expected text, got '{'é' * 60}'"),
    ]
    assert story.first.quarantine == expected
    assert story.third.quarantine == expected, "the lookback read these records again: they must not be there twice"


def test_no_batch_takes_more_new_rows_than_allowed(story: Story) -> None:
    (feed,) = story.first.report.curated
    outcomes = [outcome for _, outcome in feed.batches]
    assert [outcome.status for outcome in outcomes] == ["committed"] * 4
    assert max(Counter(story.first.batches.values()).values()) <= ROWS_PER_BATCH
    assert sum(outcome.written["posts"].written for outcome in outcomes) == len(story.first.curated)


def test_a_second_run_reads_nothing(story: Story) -> None:
    assert story.second.report.curated == () and story.second.report.published == ()
    assert replace(story.second, report=story.first.report) == story.first


def test_new_posts_arrive_in_one_batch(story: Story) -> None:
    expected = rows_of(story.posts + story.later)
    assert differences(story.third.curated, expected) == []
    assert differences(story.third.warehouse, expected) == []
    (feed,) = story.third.report.curated
    assert [(plan.number, outcome.status) for plan, outcome in feed.batches] == [(5, "committed")]
    assert {number for number, batch in story.third.batches.items() if batch == 5} == {post.id for post in story.later}


def test_the_report_by_month_counts_what_the_dump_has(story: Story) -> None:
    months: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
    for post in map(_by_name, rows_of(story.posts + story.later)):
        if post["post_type_id"] in (1, 2):
            figures = months[post["creation_date"].date().replace(day=1)]
            figures[post["post_type_id"] - 1] += 1
            figures[2] += post["score"]
    assert len(months) > 24
    assert story.third.reports["posts_by_month"] == [(month, *figures) for month, figures in sorted(months.items())]


def test_the_report_on_owners_shows_the_twenty_highest_scores(story: Story) -> None:
    owners: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for post in map(_by_name, rows_of(story.posts + story.later)):
        if post["post_type_id"] in (1, 2) and post["owner_user_id"] is not None:
            owners[post["owner_user_id"]][post["post_type_id"] - 1] += 1
            owners[post["owner_user_id"]][2] += post["score"]
    expected = sorted(((owner, *figures) for owner, figures in owners.items()), key=lambda row: (-row[3], row[0]))[:20]
    assert story.third.reports["top_owners"] == expected


def _by_name(row: Row) -> dict[str, Any]:
    return dict(zip(COLUMNS, row, strict=True))
