"""The statements that a Data API client has started: their states, what each call tells of them, and when they are forgotten.

API reference: "DescribeStatement", "SubStatementData", "ListStatements".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Lock
from typing import Any
from uuid import uuid4

import psycopg

from infra.local import redshift_clock
from infra.local.json_service import ServiceError
from infra.local.redshift_results import Result
from infra.local.redshift_warehouses import Login, Warehouse

# Management guide, "Considerations when calling the Amazon Redshift Data API".
KEPT = timedelta(hours=24)
TOKEN_LIFE = timedelta(hours=8)
ENDED = ("FINISHED", "FAILED", "ABORTED")


class CancelledError(Exception):
    """Somebody has called CancelStatement."""


@dataclass
class Step:
    """One SQL text: the statement itself, or one of a batch. `rows` are those returned or changed; -1 until that is known."""

    sql: str
    created: datetime
    status: str = "SUBMITTED"
    updated: datetime = field(default_factory=redshift_clock.now)
    query: int = 0
    rows: int = -1
    result: Result | None = None
    error: str = ""
    seconds: float = 0.0

    def set(self, status: str) -> None:
        self.updated, self.status = redshift_clock.now(), status

    def described(self) -> dict[str, Any]:
        return {
            "Status": self.status,
            "CreatedAt": self.created.timestamp(),
            "UpdatedAt": self.updated.timestamp(),
            "Duration": int(self.seconds * 1_000_000_000),
            "QueryString": self.sql,
            "RedshiftQueryId": self.query,
            "ResultRows": self.rows,
            "ResultSize": sum(self.result.sizes) if self.result else (0 if self.status == "FINISHED" else -1),
            "HasResultSet": self.result is not None,
        } | ({"Error": self.error} if self.error else {})


@dataclass(eq=False)
class Statement:
    """What one ExecuteStatement or BatchExecuteStatement has started. `place` tells workgroup or cluster as the client named it."""

    owner: str
    warehouse: Warehouse
    login: Login
    database: str
    place: dict[str, str]
    steps: list[Step]
    is_batch: bool
    name: str = ""
    parameters: list[dict[str, str]] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "SUBMITTED"
    error: str = ""
    pid: int = 0
    created: datetime = field(default_factory=redshift_clock.now)
    updated: datetime = field(default_factory=redshift_clock.now)
    connection: psycopg.Connection | None = None
    cancelled: Event = field(default_factory=Event)

    def set(self, status: str) -> None:
        self.updated, self.status = redshift_clock.now(), status

    def stop_if_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise CancelledError

    def cancel(self) -> None:
        self.cancelled.set()
        if self.connection is not None and not self.connection.closed:
            self.connection.cancel_safe()

    def submitted(self) -> dict[str, Any]:
        return {
            "Id": self.id,
            "CreatedAt": self.created.timestamp(),
            "Database": self.database,
            "DbUser": self.login.user,
        } | self.place

    def described(self) -> dict[str, Any]:
        told = self.submitted() | {
            "Status": self.status,
            "UpdatedAt": self.updated.timestamp(),
            "RedshiftPid": self.pid,
            "ResultFormat": "JSON",
        }
        if not self.is_batch:
            told = self.steps[0].described() | told
        else:
            told["SubStatements"] = [
                {"Id": f"{self.id}:{number}"} | step.described() for number, step in enumerate(self.steps, start=1)
            ]
            told |= {
                "Duration": sum(step["Duration"] for step in told["SubStatements"]),
                "HasResultSet": any(step["HasResultSet"] for step in told["SubStatements"]),
                "RedshiftQueryId": 0,
                "ResultRows": -1,
                "ResultSize": -1,
            }
        optional = {"Error": self.error, "QueryParameters": self.parameters}
        return told | {key: value for key, value in optional.items() if value}

    def listed(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "Id": self.id,
            "Status": self.status,
            "StatementName": self.name,
            "CreatedAt": self.created.timestamp(),
            "UpdatedAt": self.updated.timestamp(),
            "IsBatchStatement": self.is_batch,
            "ResultFormat": "JSON",
        }
        queries = [step.sql for step in self.steps]
        return told | ({"QueryStrings": queries} if self.is_batch else {"QueryString": queries[0]})


class Statements:
    """All that are not forgotten yet, in the order of their submission."""

    def __init__(self) -> None:
        self._statements: dict[str, Statement] = {}
        self._tokens: dict[tuple[str, str], tuple[datetime, Statement]] = {}
        self._lock = Lock()

    def add(self, statement: Statement, token: str) -> tuple[Statement, bool]:
        """The statement and True; or the one that the token already started less than 8 hours ago, and False.

        Raises:
            ServiceError: the token belongs to another text.
        """
        with self._lock:
            at, earlier = self._tokens.get((statement.owner, token), (None, None))
            if token and at and earlier and redshift_clock.now() - at < TOKEN_LIFE:
                if [step.sql for step in earlier.steps] != [step.sql for step in statement.steps]:
                    raise ServiceError("ValidationException", "The client token was used with different parameters.")
                return earlier, False
            self._statements = {each.id: each for each in self.all()}
            self._tokens[statement.owner, token] = (statement.created, statement)
            self._statements[statement.id] = statement
            return statement, True

    def get(self, id_: str) -> tuple[Statement, int | None]:
        """The statement, and which of its steps a suffix `:n` names, counted from 0.

        Raises:
            ServiceError: unknown, or ended more than 24 hours ago.
        """
        name, _, number = id_.partition(":")
        found = self._statements.get(name)
        if found is None or found not in self.all() or (number and not 1 <= int(number) <= len(found.steps)):
            raise ServiceError("ResourceNotFoundException", "Query does not exist.")
        return found, int(number) - 1 if number else None

    def all(self) -> list[Statement]:
        """Without those that ended more than 24 hours ago."""
        oldest = redshift_clock.now() - KEPT
        return [each for each in self._statements.values() if each.status not in ENDED or each.updated >= oldest]
