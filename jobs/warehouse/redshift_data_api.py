"""Statements and queries through the Redshift Data API: asked, followed to their end, read. No connection is held.

A transaction is one BatchExecuteStatement. Everything that a caller can repeat is repeated here: what another transaction was in the
way of, as a whole; lost answers by boto3, with the same ClientToken, so that Redshift runs the statement once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from datetime import time as time_of_day
from decimal import Decimal
from hashlib import sha256
from itertools import count
from typing import Any

from jobs.runtime.aws import aws_errors
from jobs.warehouse.warehouse import Answer

_ENDED = ("FINISHED", "FAILED", "ABORTED")
_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS = 0.03, 2.0
_TRIES = 8
# Developer guide, "Troubleshooting serializable isolation errors"; the others are what two changes of the catalogue at once end with.
_CONFLICTS = (
    "Serializable isolation violation",
    "conflict with concurrent transaction",
    "deadlock detected",
    "concurrent update",
)
# What a Field holds is a number, a truth or a text; the column's type says what the text is (API reference, "Field").
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "numeric": Decimal,
    "date": date.fromisoformat,
    "time": time_of_day.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}


class FailedStatementError(Exception):
    """A statement failed or was cancelled; the text is Redshift's. `query` is its number in the system views."""

    def __init__(self, text: str, query: int) -> None:
        super().__init__(text)
        self.query = query

    @property
    def is_conflict(self) -> bool:
        return any(conflict in str(self) for conflict in _CONFLICTS)


class DataApi:
    """One warehouse as one caller. `where` names workgroup or cluster, and the database, as the API's parameters do.

    Every method raises what `aws_errors` raises, and FailedStatementError.
    """

    def __init__(self, client: Any, where: Mapping[str, str]) -> None:
        self._client = client
        self._where = dict(where)

    @property
    def place(self) -> str:
        """For messages: `workgroup depot-warehouse`."""
        kind = "workgroup" if "WorkgroupName" in self._where else "cluster"
        return f"{kind} {self._where.get('WorkgroupName') or self._where['ClusterIdentifier']}"

    def run(self, doing: str, statement: str) -> None:
        """In a transaction of its own, for what no other can be in."""
        self._follow(doing, self._client.execute_statement, Sql=statement)

    def transaction(self, doing: str, statements: Sequence[str]) -> None:
        """All or none of at most 40; again from the beginning if another transaction was in the way."""
        self._repeat(doing, statements, lambda _: {})

    def transaction_once(self, doing: str, statements: Sequence[str]) -> None:
        """The same for statements that nobody else ever asks for, such as those that name a load id: for 8 hours Redshift runs them once,
        however often they are asked for."""
        digest = sha256("\n".join(statements).encode()).hexdigest()[:40]
        self._repeat(doing, statements, lambda attempt: {"ClientToken": f"{digest}-{attempt}"})

    def query(self, doing: str, query: str) -> Answer:
        """Every row; what the API hands out ends at 100 MB."""
        told = self._follow(doing, self._client.execute_statement, Sql=query)
        with aws_errors(f"{doing} in {self.place}"):
            pages = list(self._client.get_paginator("get_statement_result").paginate(Id=told["Id"]))
        columns = pages[0]["ColumnMetadata"]
        types = [column["typeName"] for column in columns]
        rows = [_row(record, types) for page in pages for record in page["Records"]]
        return tuple(column["name"] for column in columns), rows

    def _repeat(self, doing: str, statements: Sequence[str], token: Callable[[int], dict[str, str]]) -> None:
        for attempt in count():
            try:
                self._follow(doing, self._client.batch_execute_statement, Sqls=list(statements), **token(attempt))
                return
            except FailedStatementError as error:
                if not error.is_conflict or attempt + 1 == _TRIES:
                    raise
            time.sleep(random.uniform(0, 0.1 * 2**attempt))

    def _follow(self, doing: str, start: Callable[..., Any], **given: Any) -> dict[str, Any]:
        """The description of the statement, which has finished."""
        with aws_errors(f"{doing} in {self.place}"):
            id_ = start(**self._where, **given)["Id"]
            pause = _FIRST_LOOK_SECONDS
            while (told := self._client.describe_statement(Id=id_))["Status"] not in _ENDED:
                time.sleep(pause)
                pause = min(pause * 1.5, _LAST_LOOK_SECONDS)
        if told["Status"] == "FINISHED":
            return dict(told)
        failed = next((step for step in told.get("SubStatements", ()) if step["Status"] != "FINISHED"), told)
        raise FailedStatementError(told.get("Error") or "cancelled", failed.get("RedshiftQueryId", 0))


def _row(record: Iterable[Mapping[str, Any]], types: Sequence[str]) -> tuple[Any, ...]:
    return tuple(_value(field, type_) for field, type_ in zip(record, types, strict=True))


def _value(field: Mapping[str, Any], type_: str) -> Any:
    ((kind, value),) = field.items()
    if kind == "isNull":
        return None
    return _FROM_TEXT[type_](value) if kind == "stringValue" and type_ in _FROM_TEXT else value
