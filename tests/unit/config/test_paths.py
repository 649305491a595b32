"""Which feeds and derived tables of a pipeline go side by side, and what a feed's batches reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from jobs.config.pipeline import Pipeline


def pipeline(feeds: Sequence[str], derived: Mapping[str, Sequence[str]]) -> Pipeline:
    """With a table `of_<feed>` for each feed, and derived tables by their inputs."""
    columns = {"id": "bigint"}
    tables = {
        f"of_{feed}": {"from": feed, "key": ["id"], "columns": columns, "load": {"mode": "upsert"}} for feed in feeds
    }
    for name, inputs in derived.items():
        tables[name] = {"from": list(inputs), "key": ["id"], "columns": columns, "transform": "a.b"}
    return Pipeline.model_validate(
        {"pipeline": "p", "owner": "o", "feeds": {feed: {"type": "postgres"} for feed in feeds}, "tables": tables}
    )


@pytest.mark.parametrize(
    ("derived", "paths"),
    [
        ({}, [("a",), ("b",), ("c",)]),
        ({"x": ["of_b"]}, [("a",), ("c",), ("b", "x")]),
        ({"x": ["of_a", "of_c"]}, [("b",), ("a", "c", "x")]),
        ({"x": ["of_a"], "y": ["x", "of_b"]}, [("c",), ("a", "b", "x", "y")]),
        ({"y": ["x"], "x": ["of_a"]}, [("b",), ("c",), ("a", "x", "y")]),
    ],
)
def test_what_shares_a_derived_table_is_one_path(
    derived: Mapping[str, Sequence[str]], paths: list[tuple[str, ...]]
) -> None:
    assert sorted(pipeline("abc", derived).paths) == sorted(paths)


def test_a_feed_reaches_what_is_derived_from_what_it_reaches() -> None:
    found = pipeline("ab", {"y": ["x"], "x": ["of_a"], "z": ["of_b"]})
    assert found.derived_from(["a"]) == ("x", "y")
    assert found.derived_from(["b"]) == ("z",)
    assert found.derived_from(["a", "b"]) == found.batched[2:]
