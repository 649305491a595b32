"""Segment events of one day, in the order of their arrival: users who say who they are, posts, follows, page views.

Ids of users are digits, and properties hold them as text or as a number; some posts have ids above what a float holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from uuid import UUID

from jobs.samples.report import date_of
from jobs.samples.words import UGLY_TEXTS, sentences

Document = dict[str, object]
_UGLY_EVERY = 6
_LATE_EVERY, _VERY_LATE_EVERY = 17, 53
_TEXTS = (
    "}{",
    '{"a":1}{"b":2}',
    'quote " brace } backslash \\',
    '"},{"text":"',
    "\\",
    "[1,2]]",
    "\u2028line\u2029separators",
    "😀" * 20,
    *(text for text in UGLY_TEXTS if "\x00" not in text),
)
_NAMES = ("Ada", "O'Neil", "Zoë", "李", "Łukasz 🐟", "null", "007", '"quoted"', "GRACE", " spaced ")
_OTHER_TRACKS = ("Post Liked", "Signed Out", "Post Created Draft")


@dataclass(frozen=True)
class Event:
    """`arrived_at` decides on the object that holds it; its timestamp may lie hours or a day before."""

    arrived_at: datetime
    document: Document


class _Writer:
    """Gives each event of a day its id and its age: seconds, every 17th hours, every 53rd a day."""

    def __init__(self, day: int) -> None:
        self.random = Random(f"social/{day}")
        self.stock = sentences(Random("social/words"), 500)
        self._written = 0

    def event(self, arrived_at: datetime, kind: str, user: int, **parts: object) -> Event:
        self._written += 1
        age = timedelta(seconds=1 + self.random.random() * 20)
        if self._written % _VERY_LATE_EVERY == 0:
            age += timedelta(days=1)
        elif self._written % _LATE_EVERY == 0:
            age += timedelta(hours=3)
        message_id = f"ajs-next-{UUID(int=self.random.getrandbits(128), version=4)}"
        return Event(arrived_at, _envelope(message_id, arrived_at - age, arrived_at, kind, user, parts))


def posts_of(rows: int, day: int) -> int:
    return rows if day == 1 else max(1, rows // 10)


def events_of(rows: int, day: int) -> Iterator[Event]:
    """By arrival. Every hour begins with a page view, so that there is an object for each."""
    writer = _Writer(day)
    start = datetime.combine(date_of(day), time())
    step = timedelta(days=1) / posts_of(rows, day)
    pages = [start + timedelta(hours=hour) for hour in range(24)]
    for place in range(posts_of(rows, day)):
        moment = start + (place + 0.5) * step
        while pages and pages[0] <= moment:
            yield _page(writer, pages.pop(0))
        yield from _around_a_post(writer, rows, day, place, moment)
    for moment in pages:
        yield _page(writer, moment)


def post_with(message_id: str, day: int, hour: int, changes: Document) -> Document:
    """A single post; a change to None takes the property away."""
    moment = datetime.combine(date_of(day), time(hour, 59, 59))
    properties = {"id": message_id, "author": "1000", "text": "spoilt", "created_at": _iso(moment)} | changes
    kept = {name: value for name, value in properties.items() if value is not None}
    return _envelope(message_id, moment, moment, "track", 0, {"event": "Post Created", "properties": kept})


def _new_users(rows: int, day: int) -> int:
    return -(-posts_of(rows, day) // 5)


def _users(rows: int, day: int) -> int:
    """How many there are at the end of the day; one more than have said who they are."""
    return 1 + _new_users(rows, 1) + (day - 1) * _new_users(rows, 2)


def _around_a_post(writer: _Writer, rows: int, day: int, place: int, moment: datetime) -> Iterator[Event]:
    """The post and, with some of them, a new user, an old one who is back, a follow, an unfollow, something else."""
    users = _users(rows, day)
    if place % 5 == 0:
        user = place // 5 + (_users(rows, day - 1) - 1 if day > 1 else 0)
        yield writer.event(moment, "identify", user, traits=_traits(user))
    yield _post(writer, users, place, moment)
    if place % 2 == 0:
        follower, followed = _pair(rows, day, place)
        properties = {"user_id": _user_id(followed, as_number=place % 8 == 0)}
        yield writer.event(moment, "track", follower, event="Follow User", properties=properties)
    if place % 10 == 4:  # followed a moment ago, or yesterday
        is_old = day > 1 and place % 20 == 4
        follower, followed = _pair(rows, day - 1, place - 2) if is_old else _pair(rows, day, place - 4)
        properties = {"user_id": _user_id(followed, as_number=place % 30 == 4)}
        yield writer.event(moment, "track", follower, event="Unfollow User", properties=properties)
    if place % 11 == 7:
        user = writer.random.randrange(users - 1)
        yield writer.event(moment, "identify", user, traits=_later_traits(user, place))
    if place % 7 == 3:
        event, properties = _OTHER_TRACKS[place % len(_OTHER_TRACKS)], {"id": place}
        yield writer.event(moment, "track", writer.random.randrange(users), event=event, properties=properties)


def _post(writer: _Writer, users: int, place: int, moment: datetime) -> Event:
    is_ugly = place % _UGLY_EVERY == 0
    text = _TEXTS[place // _UGLY_EVERY % len(_TEXTS)] if is_ugly else writer.random.choice(writer.stock)
    author = writer.random.randrange(users)
    post_id = writer.random.getrandbits(62) + 2**60
    properties = {
        "id": post_id if place % 3 == 0 else str(post_id),
        "author": _user_id(author, as_number=place % 4 == 0),
        "text": text,
        "created_at": _iso(moment - timedelta(seconds=30)),
    }
    return writer.event(moment, "track", author, event="Post Created", properties=properties)


def _page(writer: _Writer, moment: datetime) -> Event:
    return writer.event(moment, "page", 0, name="Home", properties={"path": "/", "title": "}{ home"})


def _pair(rows: int, day: int, place: int) -> tuple[int, int]:
    """Who follows whom: the first users have most of the followers."""
    random, users = Random(f"social/follow/{day}/{place}"), _users(rows, day)
    follower, followed = random.randrange(users), int(random.paretovariate(0.8)) % users
    return follower, followed if followed != follower else (followed + 1) % users


def _traits(user: int) -> Document:
    name = f"{_NAMES[user % len(_NAMES)]} {user}"
    return {"username": f"user_{user}", "name": name, "email": f"User.{user}@Example.COM", "plan": "free", "age": 7}


def _later_traits(user: int, place: int) -> Document:
    """What is not repeated keeps its value: the key is absent, or null."""
    match place % 3:
        case 0:
            return {"name": f"{_NAMES[user % len(_NAMES)]} the {place}th"}
        case 1:
            return {"email": f"new.{place}@example.org", "username": None}
        case _:
            return {}


def _user_id(user: int, as_number: bool = False) -> str | int:
    return 1000 + user if as_number else str(1000 + user)


def _envelope(
    message_id: str, happened_at: datetime, arrived_at: datetime, kind: str, user: int, parts: Document
) -> Document:
    """What all events have in common, with the sender's objects in objects around what counts."""
    return {
        "anonymousId": f"anon-{user:08x}",
        "context": {
            "library": {"name": "analytics.js", "version": "next-1.62.0"},
            "page": {"path": "/home", "referrer": "", "search": "?q={}", "title": 'Home "{'},
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
            "locale": "en-US",
        },
        "integrations": {"All": True, "Segment.io": {"bundled": [], "unbundled": ["}"]}},
        "messageId": message_id,
        "originalTimestamp": _iso(happened_at),
        "receivedAt": _iso(arrived_at),
        "sentAt": _iso(arrived_at),
        "timestamp": _iso(happened_at),
        "type": kind,
        "userId": _user_id(user),
        **parts,
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds") + "Z"
