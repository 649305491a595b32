"""Parties from their players: two literals each, then many random reports against a count in plain Python."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from jobs.transforms.fflogs import classify_parties
from tests.unit.transforms.frames import assert_same_rows

REVIEW = (
    "reportid string, encounterstatus int, characterid string, classid string, classrole string, "
    "partyspot smallint, querydate date"
)
PARTY = "reportid string, " + ", ".join(f"spot_{spot} string" for spot in range(1, 9))
JOBS = ["Gunbreaker", "DarkKnight", "Scholar", "Astrologian", "Samurai", "BlackMage", "Ninja", "Dancer"]

Player = tuple[str, int | None, str, str, str, int, None]


def player(report: str, character: int, spot: int, job: str, status: int | None = 1) -> Player:
    return (report, status, f"character%20{character}", job, "DPS", spot, None)


def full_party(report: str) -> list[Player]:
    return [player(report, spot, spot, JOBS[spot - 1]) for spot in range(1, 9)]


def reviews(spark: SparkSession, players: Sequence[Player]) -> DataFrame:
    return spark.createDataFrame(players, REVIEW)


def parties(spark: SparkSession, rows: Sequence[tuple[str, ...]]) -> DataFrame:
    return spark.createDataFrame(rows, PARTY)


def test_gives_the_jobs_of_the_seeds_report_by_party_spot(spark: SparkSession) -> None:
    report = "f2tFPWG7Y96Jvghd"  # the published report swaps spots 6 and 7 against this, its own input
    given = [
        (report, 1, "faker%20genji", "Samurai", "DPS", 5, None),
        (report, 1, "eksu%20plosion", "BlackMage", "DPS", 6, None),
        (report, 1, "jackal%20ka%27tui", "Ninja", "DPS", 7, None),
        (report, 1, "noya%20ki", "Dancer", "DPS", 8, None),
        (report, 1, "ashelia%20dalmascah", "Gunbreaker", "Tanks", 1, None),
        (report, 1, "apollo%20van-waddleb", "DarkKnight", "Tanks", 2, None),
        (report, 1, "reach%20betwanhe", "Scholar", "Healers", 3, None),
        (report, 1, "aria%20aoki", "Astrologian", "Healers", 4, None),
    ]
    assert_same_rows(classify_parties(party_review=reviews(spark, given)), parties(spark, [(report, *JOBS)]))


def test_the_order_of_the_players_does_not_matter(spark: SparkSession) -> None:
    given = [*full_party("a"), *full_party("b")]
    found = classify_parties(party_review=reviews(spark, given[::-1]))
    assert_same_rows(found, parties(spark, [("a", *JOBS), ("b", *JOBS)]))


def test_a_report_with_an_empty_spot_has_no_party(spark: SparkSession) -> None:
    given = [*full_party("full"), *full_party("empty")[:-1]]
    assert_same_rows(classify_parties(party_review=reviews(spark, given)), parties(spark, [("full", *JOBS)]))


def test_a_report_with_a_spot_taken_twice_has_no_party(spark: SparkSession) -> None:
    instead_of_the_eighth = [*full_party("eight")[:-1], player("eight", 8, 7, "Ninja")]
    as_a_ninth = [*full_party("nine"), player("nine", 9, 8, "Dancer")]
    given = [*full_party("full"), *instead_of_the_eighth, *as_a_ninth]
    assert_same_rows(classify_parties(party_review=reviews(spark, given)), parties(spark, [("full", *JOBS)]))


def test_the_encounter_status_plays_no_part(spark: SparkSession) -> None:
    given = [player("a", spot, spot, JOBS[spot - 1], status=None if spot == 1 else spot % 2) for spot in range(1, 9)]
    assert_same_rows(classify_parties(party_review=reviews(spark, given)), parties(spark, [("a", *JOBS)]))


def test_agrees_with_a_count_in_plain_python_on_random_reports(spark: SparkSession) -> None:
    draw = random.Random(8)
    given: list[Player] = []
    expected: list[tuple[str, ...]] = []
    for report in (f"report-{number}" for number in range(300)):
        spots = draw.sample(range(1, 9), 8) if draw.random() < 0.7 else draw.choices(range(1, 9), k=8)
        spots = spots[: draw.choice([8, 8, 8, 7, 1])] + draw.choices(range(1, 9), k=draw.choice([0, 0, 0, 1]))
        jobs = [draw.choice(JOBS) for _ in spots]
        given += [player(report, place, *each) for place, each in enumerate(zip(spots, jobs, strict=True))]
        if sorted(spots) == [1, 2, 3, 4, 5, 6, 7, 8]:
            expected.append((report, *(jobs[spots.index(spot)] for spot in range(1, 9))))
    assert 50 < len(expected) < 250
    draw.shuffle(given)
    assert_same_rows(classify_parties(party_review=reviews(spark, given)), parties(spark, expected))
