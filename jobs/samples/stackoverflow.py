"""A site's growing table of posts in Postgres, with the columns of Stack Exchange's dumps.

A day adds posts above all earlier ids. Never touches a table that it has not made itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from random import Random

import psycopg

from jobs.errors import SourceUnavailableError, UsageError
from jobs.samples.report import BAD_FROM_ROWS, SampleReport, SampleTable, date_of
from jobs.samples.words import UGLY_TEXTS, sentences

_MADE_BY = "Sample data of Tidemark"
_LOCK = 20_240_302
_CREATE = """
CREATE TABLE IF NOT EXISTS public.posts (
    id bigint PRIMARY KEY,
    post_type_id smallint NOT NULL,
    accepted_answer_id bigint,
    parent_id bigint,
    creation_date timestamp NOT NULL,
    score integer NOT NULL,
    view_count integer,
    body text,
    owner_user_id bigint,
    last_activity_date timestamp,
    title text,
    tags text,
    answer_count integer,
    comment_count integer NOT NULL
)
"""
_UGLY_EVERY = 9
_BLANKS = ("", "   ", "\n\r\n\t", "\u00a0\u00a0", "\u3000 \u2003")
_UGLY_BODIES = (*UGLY_TEXTS, *_BLANKS)
_UGLY_TITLES = ("007", "NaN", "", "null", 'Why "quotes"?', "tab\there", "1e5", "True", "new\nline", " ", "🍺?")
_TAGS = ("<hops>", "<history><brewing>", "<taste><glassware>", "<yeast>", "<c++><.net><node.js>")
_LONG_BODY, _TOO_LONG_BODY, _NULL_BODY, _INFINITE_DATE = 11, 13, 14, 17  # index within the day
_BAD_KINDS = 3
_LONG_BODY_BYTES, _LIMIT_BYTES = 60_000, 65_535
_STOCK = 1_000

Post = tuple[object, ...]


def write_day(url: str, rows: int, day: int) -> SampleReport:
    """`rows` new posts for `day` and for every earlier day that has none; a day that has posts gets no more.

    Raises:
        UsageError: `public.posts` is there and was not made by this function.
        SourceUnavailableError: the database cannot be reached or written.
    """
    tables = []
    with _database_errors(), psycopg.connect(url, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        _create_table(connection)
        for each in range(1, day + 1):
            is_new = not _has_posts_of(connection, each)
            if is_new:
                _insert_day(connection, rows, each)
            bad = _BAD_KINDS if rows >= BAD_FROM_ROWS else 0
            if is_new or each == day:
                tables.append(SampleTable("posts", f"public.posts of {date_of(each)}", rows, bad, is_new))
    return SampleReport("stackoverflow", day, tuple(tables))


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise SourceUnavailableError(
            f"Making the sample of stackoverflow: expected its Postgres to take new posts, got {str(error).strip()!r}. "
            "Check TIDEMARK_CONN_STACKOVERFLOW_URL if it is set, then run the same command again."
        ) from error


def _create_table(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    found = connection.execute("SELECT obj_description(to_regclass('public.posts')), to_regclass('public.posts')::text")
    comment, table = found.fetchone() or (None, None)
    if table is None:
        connection.execute(_CREATE)
        connection.execute(f"COMMENT ON TABLE public.posts IS '{_MADE_BY}'")
    elif comment != _MADE_BY:
        raise UsageError(
            f"Making the sample of stackoverflow: expected table public.posts to be absent or commented {_MADE_BY!r}, "
            f"got comment {comment!r}. It looks like real data. "
            "Unset TIDEMARK_CONN_STACKOVERFLOW_URL to use the embedded Postgres."
        )


def _has_posts_of(connection: psycopg.Connection[tuple[object, ...]], day: int) -> bool:
    start, end = _bounds(day)
    query = "SELECT 1 FROM public.posts WHERE creation_date >= %s AND creation_date < %s LIMIT 1"
    return connection.execute(query, [start, end]).fetchone() is not None


def _insert_day(connection: psycopg.Connection[tuple[object, ...]], rows: int, day: int) -> None:
    highest = connection.execute("SELECT coalesce(max(id), 0) FROM public.posts").fetchone()
    assert highest is not None
    with connection.cursor().copy("COPY public.posts FROM STDIN") as copy:
        for post in _posts(rows, day, int(str(highest[0]))):
            copy.write_row(post)


def _bounds(day: int) -> tuple[datetime, datetime]:
    start = datetime.combine(date_of(day), time())
    return start, start + timedelta(days=1)


def _posts(rows: int, day: int, after_id: int) -> Iterator[Post]:
    """In the order of the columns. Two of five are questions; answers belong to a recent question of the day."""
    random = Random(f"stackoverflow/{day}")
    stock = sentences(random, _STOCK)
    start, end = _bounds(day)
    step = (end - start) / rows
    post_id, questions = after_id, list[int]()
    for place in range(rows):
        post_id += 1 if random.random() < 0.98 else random.randrange(2, 40)  # deleted posts leave gaps
        is_question = place == 0 or random.random() < 0.4
        if is_question:
            questions = [*questions[-4:], post_id]
        created = start + (place + random.random()) * step
        yield (
            post_id,
            1 if is_question else 2,
            None,
            None if is_question else random.choice(questions),
            "infinity" if place == _INFINITE_DATE and rows >= BAD_FROM_ROWS else created,
            int(random.expovariate(0.2)) - 2,
            int(random.expovariate(0.01)) if is_question else None,
            _body(random, stock, place, rows),
            None if place % 211 == 5 else 1 + int(random.paretovariate(1.1)) % (10 + rows // 20),
            created,
            _title(stock, random, place) if is_question else None,
            random.choice(_TAGS) if is_question else None,
            0 if is_question else None,
            place % 4,
        )


def _title(stock: list[str], random: Random, place: int) -> str:
    if place % 5 == 0:
        return _UGLY_TITLES[place // 5 % len(_UGLY_TITLES)]
    return random.choice(stock).capitalize() + "?"


def _body(random: Random, stock: list[str], place: int, rows: int) -> str | None:
    if rows >= BAD_FROM_ROWS and place in (_TOO_LONG_BODY, _NULL_BODY):
        return None if place == _NULL_BODY else "é" * (_LIMIT_BYTES // 2 + 1)  # one byte over, half as many characters
    if place % 5000 == _LONG_BODY:
        return "<p>🍺 long</p>\n" * (_LONG_BODY_BYTES // len("<p>🍺 long</p>\n".encode()))
    if place % _UGLY_EVERY == 0:
        return _UGLY_BODIES[place // _UGLY_EVERY % len(_UGLY_BODIES)]
    return f"<p>{random.choice(stock)}</p>\n<p>{random.choice(stock)} {random.choice(stock)}</p>\n"
