"""What a pipeline is: the typed, frozen model of one file in conf/pipelines/.

Only what one value says by itself. Rules between values are in `feed_checks`, `table_checks` and `derived_checks`, between files in
`project`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import Field, model_validator

from jobs.config.feed import Feed
from jobs.config.frozen import Frozen, Name
from jobs.config.table import Table


class Pipeline(Frozen):
    """One source system: one name used everywhere."""

    pipeline: Name = Field(description="The file's own name; also the schema in the warehouse.")
    owner: str = Field(min_length=1, description="The team that is asked about it.")
    schedule: str | None = Field(default=None, description="Cron in UTC, five fields; absent: by hand.")
    feeds: dict[Name, Feed] = Field(min_length=1, description="What is read together.")
    tables: dict[Name, Table] = Field(min_length=1, description="The curated tables, each with its contract.")
    reports: tuple[Name, ...] = Field(default=(), description="conf/reports/<name>.sql, queries in the warehouse.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_filled(cls, value: Any) -> Any:
        return fill_defaults(value)

    @property
    def batched(self) -> tuple[str, ...]:
        """Everything that has batches of its own: the feeds, then the derived tables, each after its inputs."""
        derived = {name: table.inputs for name, table in self.tables.items() if table.inputs}
        ordered: list[str] = []
        while waiting := [name for name in derived if name not in ordered]:
            ready = [name for name in waiting if not set(derived[name]) & set(waiting)]
            ordered += ready or waiting  # a circle is refused by the checks
        return (*self.feeds, *ordered)

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """`batched` in parts that share nothing: feeds, with what is derived from them. Different paths can go side by side."""
        paths: list[tuple[str, ...]] = []
        for name in self.batched:
            joined = [path for path in paths if set(path) & self._origins(name)]
            paths = [path for path in paths if path not in joined]
            paths.append((*(each for path in joined for each in path), name))
        return tuple(tuple(name for name in self.batched if name in path) for path in paths)

    def derived_from(self, feeds: Collection[str]) -> tuple[str, ...]:
        """The derived tables that a batch of any of these feeds can change, each after its inputs."""
        reached = set(feeds)
        for name in self.batched:
            if reached & self._origins(name):
                reached.add(name)
        return tuple(name for name in self.batched if name in reached and name not in self.feeds)

    def _origins(self, name: str) -> set[str]:
        """Which of `batched` the inputs of a derived table come from; none for a feed."""
        inputs = () if name in self.feeds else self.tables[name].inputs
        return {each if self.tables[each].inputs else str(self.tables[each].origin) for each in inputs}

    def tables_of(self, name: str) -> dict[str, Table]:
        """The tables that a batch of `name` holds, in file order: those read together as that feed, or the one derived table."""
        if name not in self.feeds and name in self.tables:
            return {name: self.tables[name]}
        return {table: contract for table, contract in self.tables.items() if contract.origin == name}


def fill_defaults(value: Any) -> Any:
    """`defaults` fills keys that a feed's table does not have; shallow, so a table's own `load` stands as written.

    A derived table (`from` is a list) takes none. A `defaults` that cannot be filled in stays, and is then refused as a key.
    """
    if not isinstance(value, dict) or not isinstance(value.get("defaults"), dict):
        return value
    rest = {key: item for key, item in value.items() if key != "defaults"}
    if isinstance(tables := rest.get("tables"), dict):
        rest["tables"] = {
            name: {**value["defaults"], **table} if _takes_defaults(table) else table for name, table in tables.items()
        }
    return rest


def _takes_defaults(table: Any) -> bool:
    return isinstance(table, dict) and not isinstance(table.get("from"), list | tuple)
