"""The posts of beer.stackexchange.com, from the site's public XML dump into a Postgres: what the site's own database held."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from xml.etree import ElementTree

import psycopg
from psycopg import sql

PROJECT = Path(__file__).parents[2]
DUMP = Path(os.environ.get("TIDEMARK_SHARED") or PROJECT.parent / "shared") / "data" / "stackexchange_beer_2017"

_CREATE = """
CREATE TABLE public.posts (
    id bigint PRIMARY KEY,
    post_type_id smallint NOT NULL,
    parent_id bigint,
    creation_date timestamp NOT NULL,
    score integer NOT NULL,
    view_count integer,
    body text,
    owner_user_id bigint,
    title text,
    tags text,
    comment_count integer NOT NULL
)
"""


@dataclass(frozen=True)
class Post:
    """One post; None where the dump has no such attribute. `creation_date` as the dump writes it, without an offset."""

    id: int
    post_type_id: int
    parent_id: int | None
    creation_date: str
    score: int
    view_count: int | None
    body: str | None
    owner_user_id: int | None
    title: str | None
    tags: str | None
    comment_count: int


def posts_of_dump() -> list[Post]:
    """Every post, in the order of the file."""
    return [_post(row.attrib) for row in ElementTree.parse(DUMP / "Posts.xml").getroot()]


def _post(row: dict[str, str]) -> Post:
    def number(name: str) -> int | None:
        return int(row[name]) if name in row else None

    return Post(
        id=int(row["Id"]),
        post_type_id=int(row["PostTypeId"]),
        parent_id=number("ParentId"),
        creation_date=row["CreationDate"],
        score=int(row["Score"]),
        view_count=number("ViewCount"),
        body=row.get("Body"),
        owner_user_id=number("OwnerUserId"),
        title=row.get("Title"),
        tags=row.get("Tags"),
        comment_count=int(row["CommentCount"]),
    )


def create_posts(url: str) -> None:
    """An empty `public.posts` with the site's columns."""
    with psycopg.connect(url) as connection:
        connection.execute(_CREATE)


def insert_posts(url: str, posts: Iterable[Post]) -> None:
    """Adds the posts in one COPY."""
    names = [field.name for field in fields(Post)]
    statement = sql.SQL("COPY public.posts ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, names)))
    with psycopg.connect(url) as connection, connection.cursor().copy(statement) as copy:
        for post in posts:
            copy.write_row([getattr(post, name) for name in names])
