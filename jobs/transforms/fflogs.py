"""The derived tables of fflogs: who stood where in the party of a report."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_SPOTS = range(1, 9)


def classify_parties(party_review: DataFrame) -> DataFrame:
    """One row per `reportid` with one player on each of the eight spots: `spot_1` … `spot_8`, their jobs (`classid`).

    A report with an empty spot, a spot taken twice or a ninth player has no row. `encounterstatus` decides nothing.
    """
    players = party_review.select("reportid", "partyspot", "classid")
    jobs = [F.max(F.when(F.col("partyspot") == spot, F.col("classid"))).alias(f"spot_{spot}") for spot in _SPOTS]
    parties = players.groupBy("reportid").agg(F.count("*").alias("players"), *jobs)
    names = [f"spot_{spot}" for spot in _SPOTS]
    # Eight players and no spot empty: then no spot can be taken twice.
    complete = parties.where(F.col("players") == len(_SPOTS)).dropna(how="any", subset=names)
    return complete.select("reportid", *names)
