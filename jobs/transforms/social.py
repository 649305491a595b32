"""The derived tables of social: what the events say once they are put in the order in which they happened."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

_PAIR = ["user_id", "user_id_recipient"]
_TRAITS = ["username", "name", "email"]


def net_follows(follows: DataFrame, unfollows: DataFrame) -> DataFrame:
    """One row per (`user_id`, `user_id_recipient`) that is followed now; `followed_at` is the first follow since the last unfollow.

    Of a follow and an unfollow at the same time the unfollow counts as the later: a message id says nothing about order, and
    nobody is shown as a follower who may have left.
    """
    last_unfollows = unfollows.groupBy(*_PAIR).agg(F.max("timestamp").alias("unfollowed_at"))
    follows_and_end = follows.select(*_PAIR, "timestamp").join(last_unfollows, on=_PAIR, how="left")
    is_standing = F.col("unfollowed_at").isNull() | (F.col("timestamp") > F.col("unfollowed_at"))
    followed = follows_and_end.where(is_standing).groupBy(*_PAIR).agg(F.min("timestamp").alias("followed_at"))
    return followed.select(*_PAIR, "followed_at")


def fill_absent_traits(identifies: DataFrame) -> DataFrame:
    """One row per (`user_id`, `timestamp`): what was known of the user from then on. A trait that is NULL keeps its last value.

    NULL is what nobody has said yet; an empty text is a value. Events of a user at the same time are one row, read in the
    order of their `message_id`.
    """
    events = identifies.select("user_id", "message_id", "timestamp", *_TRAITS)
    in_order = Window.partitionBy("user_id").orderBy("timestamp", "message_id")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    known = [F.last(trait, ignorenulls=True).over(so_far).alias(trait) for trait in _TRAITS]
    states = events.select("user_id", *known, "timestamp", F.lead("timestamp").over(in_order).alias("next_time"))
    is_last_of_its_time = F.col("next_time").isNull() | (F.col("next_time") > F.col("timestamp"))
    return states.where(is_last_of_its_time).select("user_id", *_TRAITS, "timestamp")
