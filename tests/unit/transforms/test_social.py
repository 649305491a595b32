"""Follows netted and traits carried: two literals each, then every or many random histories against plain Python."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.transforms.social import fill_absent_traits, net_follows
from tests.unit.transforms.frames import assert_same_rows, minute

FOLLOW = "message_id string, user_id string, user_id_recipient string, timestamp timestamp"
CURRENT_FOLLOW = "user_id string, user_id_recipient string, followed_at timestamp"
IDENTIFY = "message_id string, user_id string, username string, name string, email string, timestamp timestamp"
USER = "user_id string, username string, name string, email string, timestamp timestamp"

Follow = tuple[str, str, str, datetime]
CurrentFollow = tuple[str, str, datetime]
Identify = tuple[str, str, str | None, str | None, str | None, datetime]
User = tuple[str, str | None, str | None, str | None, datetime]

FORWARDS_AND_BACKWARDS = pytest.mark.parametrize("step", [1, -1], ids=["as delivered", "reversed"])


# --- current follows --------------------------------------------------------------------------------------------------


def netted(spark: SparkSession, follows: Sequence[Follow], unfollows: Sequence[Follow]) -> DataFrame:
    return net_follows(
        follows=spark.createDataFrame(follows, FOLLOW), unfollows=spark.createDataFrame(unfollows, FOLLOW)
    )


def current(spark: SparkSession, rows: Sequence[CurrentFollow]) -> DataFrame:
    return spark.createDataFrame(rows, CURRENT_FOLLOW)


@FORWARDS_AND_BACKWARDS
def test_a_pair_is_followed_if_its_newest_event_is_a_follow(spark: SparkSession, step: int) -> None:
    follows = [
        ("m1", "ann", "bob", minute(1)),
        ("m2", "bob", "ann", minute(1)),
        ("m3", "cat", "ann", minute(1)),
        ("m4", "cat", "ann", minute(7)),
    ]
    unfollows = [("m5", "bob", "ann", minute(5)), ("m6", "cat", "ann", minute(5)), ("m7", "dan", "ann", minute(5))]
    expected = [("ann", "bob", minute(1)), ("cat", "ann", minute(7))]
    assert_same_rows(netted(spark, follows[::step], unfollows[::step]), current(spark, expected))


def test_a_repeated_follow_does_not_restart_it(spark: SparkSession) -> None:
    follows = [("m1", "ann", "bob", minute(3)), ("m2", "ann", "bob", minute(2)), ("m3", "ann", "bob", minute(9))]
    assert_same_rows(netted(spark, follows, []), current(spark, [("ann", "bob", minute(2))]))


def test_it_began_with_the_first_follow_since_the_last_unfollow(spark: SparkSession) -> None:
    follows = [(f"f{number}", "ann", "bob", minute(number)) for number in (1, 4, 8, 9)]
    unfollows = [(f"u{number}", "ann", "bob", minute(number)) for number in (2, 6)]
    assert_same_rows(netted(spark, follows, unfollows), current(spark, [("ann", "bob", minute(8))]))


@pytest.mark.parametrize(("follow", "unfollow"), [("a", "b"), ("b", "a")])
def test_an_unfollow_at_the_same_time_is_the_later_one(spark: SparkSession, follow: str, unfollow: str) -> None:
    found = netted(spark, [(follow, "ann", "bob", minute(1))], [(unfollow, "ann", "bob", minute(1))])
    assert_same_rows(found, current(spark, []))


def followed_since(follows: set[int], unfollows: set[int]) -> int | None:
    """The minute since which somebody follows, found by living through the minutes one by one."""
    since = None
    for now in range(5):
        if now in follows and since is None:
            since = now
        if now in unfollows:
            since = None
    return since


def test_nets_every_history_of_five_minutes_as_living_through_it_does(spark: SparkSession) -> None:
    some_minutes = [set(some) for size in range(6) for some in itertools.combinations(range(5), size)]
    follows: list[Follow] = []
    unfollows: list[Follow] = []
    expected: list[CurrentFollow] = []
    for number, (on, off) in enumerate(itertools.product(some_minutes, repeat=2)):
        pair = (f"user-{number // 50}", f"user-{number % 50}")
        follows += [(f"f-{number}-{now}-{again}", *pair, minute(now)) for now in on for again in range(1 + now % 2)]
        unfollows += [(f"u-{number}-{now}", *pair, minute(now)) for now in off]
        if (since := followed_since(on, off)) is not None:
            expected.append((*pair, minute(since)))
    assert 200 < len(expected) < 800
    random.Random(5).shuffle(follows)
    assert_same_rows(netted(spark, follows, unfollows), current(spark, expected))


# --- users ------------------------------------------------------------------------------------------------------------


def filled(spark: SparkSession, events: Sequence[Identify]) -> DataFrame:
    return fill_absent_traits(identifies=spark.createDataFrame(events, IDENTIFY))


def users(spark: SparkSession, rows: Sequence[User]) -> DataFrame:
    return spark.createDataFrame(rows, USER)


@FORWARDS_AND_BACKWARDS
def test_an_absent_trait_keeps_the_last_known_value(spark: SparkSession, step: int) -> None:
    events = [
        ("m1", "ann", "ann", None, None, minute(1)),
        ("m2", "ann", None, "Ann A.", None, minute(2)),
        ("m3", "ann", "annie", None, None, minute(3)),
        ("m4", "bob", None, None, "bob@b.example", minute(2)),
    ]
    expected = [
        ("ann", "ann", None, None, minute(1)),
        ("ann", "ann", "Ann A.", None, minute(2)),
        ("ann", "annie", "Ann A.", None, minute(3)),
        ("bob", None, None, "bob@b.example", minute(2)),
    ]
    assert_same_rows(filled(spark, events[::step]), users(spark, expected))


@FORWARDS_AND_BACKWARDS
def test_events_at_the_same_time_are_one_row_read_by_message_id(spark: SparkSession, step: int) -> None:
    events = [
        ("m1", "ann", "first", "Ann", "ann@first.example", minute(1)),
        ("m2", "ann", "second", "Ann A.", None, minute(1)),
        ("m3", "ann", "third", None, None, minute(1)),
        ("m0", "ann", None, None, None, minute(2)),
    ]
    expected = [
        ("ann", "third", "Ann A.", "ann@first.example", minute(1)),
        ("ann", "third", "Ann A.", "ann@first.example", minute(2)),
    ]
    assert_same_rows(filled(spark, events[::step]), users(spark, expected))


def test_an_empty_text_is_a_value_and_not_an_absent_trait(spark: SparkSession) -> None:
    events = [("m1", "ann", "ann", "Ann", None, minute(1)), ("m2", "ann", "ann", "", None, minute(2))]
    expected = [("ann", "ann", "Ann", None, minute(1)), ("ann", "ann", "", None, minute(2))]
    assert_same_rows(filled(spark, events), users(spark, expected))


def states_in_order(user: str, events: list[Identify]) -> dict[tuple[str, datetime], User]:
    """The user after each time, by reading the events one after another into a record."""
    record: dict[str, str | None] = {"username": None, "name": None, "email": None}
    states: dict[tuple[str, datetime], User] = {}
    for _, _, *traits, time in sorted(events, key=lambda event: (event[-1], event[0])):
        record |= {name: value for name, value in zip(record, traits, strict=True) if isinstance(value, str)}
        states[user, time] = (user, record["username"], record["name"], record["email"], time)
    return states


def test_agrees_with_reading_one_event_after_another_for_random_users(spark: SparkSession) -> None:
    draw = random.Random(21)
    given: list[Identify] = []
    expected: dict[tuple[str, datetime], User] = {}
    for user in (f"user-{number}" for number in range(150)):
        message_ids = draw.sample(range(100), draw.randint(1, 8))
        events: list[Identify] = []
        for message_id in message_ids:
            username, name, email = (draw.choice([None, None, "", "a", "b"]) for _ in range(3))
            events.append((f"m{message_id}-{user}", user, username, name, email, minute(draw.randint(0, 4))))
        given += events
        expected |= states_in_order(user, events)
    assert len(expected) < len(given)  # some share their time
    draw.shuffle(given)
    assert_same_rows(filled(spark, given), users(spark, list(expected.values())))
