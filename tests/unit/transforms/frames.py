"""Times and comparisons for tests of transforms: whole frames, whatever the order of their rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chispa import assert_df_equality
from pyspark.sql import DataFrame

MIDNIGHT = datetime(2024, 5, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    return MIDNIGHT + timedelta(minutes=number)


def assert_same_rows(found: DataFrame, expected: DataFrame) -> None:
    """Names, types and order of the columns, and all rows as often as they come. Nullability is for the contract to say."""
    assert_df_equality(found, expected, ignore_row_order=True, ignore_nullable=True)
