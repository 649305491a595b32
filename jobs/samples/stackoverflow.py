"""A site's growing table of posts in Postgres, with the columns of Stack Exchange's dumps.

A day adds posts above all earlier ids. Never touches a table that it has not made itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from random import Random

from psycopg import sql

from jobs.samples.report import BAD_FROM_ROWS, SampleReport, SampleTable, date_of
from jobs.samples.source_database import Source, number, sample_source
from jobs.samples.words import UGLY_TEXTS, sentences

_CREATE = """
CREATE TABLE public.posts (
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
    with sample_source("stackoverflow", url, {"posts": _CREATE}) as source:
        for each in range(1, day + 1):
            is_new = not _has_posts_of(source, each)
            if is_new:
                _insert_day(source, rows, each)
                source.commit()
            bad = _BAD_KINDS if rows >= BAD_FROM_ROWS else 0
            if is_new or each == day:
                tables.append(SampleTable("posts", f"public.posts of {date_of(each)}", rows, bad, is_new))
    return SampleReport("stackoverflow", day, tuple(tables))


def _has_posts_of(source: Source, day: int) -> bool:
    query = sql.SQL(
        "SELECT CAST(EXISTS (SELECT FROM public.posts WHERE creation_date >= %s AND creation_date < %s) AS int)"
    )
    return number(source, query, *_bounds(day)) == 1


def _insert_day(source: Source, rows: int, day: int) -> None:
    highest = number(source, sql.SQL("SELECT coalesce(max(id), 0) FROM public.posts"))
    with source.cursor().copy("COPY public.posts FROM STDIN") as copy:
        for post in _posts(rows, day, highest):
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
