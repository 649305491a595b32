"""The Redshift Data API: calls that only take note, while the statements run beside them in the embedded Postgres.

API reference of Redshift Data; limits from the management guide, "Considerations when calling the Amazon Redshift Data API". Sessions,
results as CSV, commits statement by statement and waiting calls are not here: a parameter that is not known is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

from sqlglot.tokenizer_core import TokenType

from infra.local import redshift_clock
from infra.local.json_service import JsonService, ServiceError
from infra.local.redshift_errors import RedshiftError
from infra.local.redshift_serverless import RedshiftServerless
from infra.local.redshift_servers import Servers
from infra.local.redshift_session import run
from infra.local.redshift_statements import ENDED, Statement, Statements, Step
from infra.local.redshift_translation import tokens_of
from infra.local.redshift_warehouses import (
    ACCESS_KEY,
    Warehouse,
    cluster,
    login_by_caller,
    login_by_secret,
    workgroup,
)

Given = dict[str, Any]

MOST_STATEMENTS = 40
LONGEST_STATEMENT_BYTES = 100 * 1024
PAGE_BYTES = 1024 * 1024
_KNOWN = {
    "ClientToken", "ClusterIdentifier", "Database", "Parameters", "ResultFormat", "SecretArn", "StatementName", "WithEvent",
    "WorkgroupName",
}  # fmt: skip
_ID = re.compile(r"[a-z0-9]{8}(-[a-z0-9]{4}){3}-[a-z0-9]{12}(:\d{1,2})?")


class RedshiftData(JsonService):
    """One account, any region."""

    def __init__(self, account: str, serverless: RedshiftServerless, servers: Servers) -> None:
        self._account = account
        self._serverless = serverless
        self._servers = servers
        self._statements = Statements()

    def __call__(
        self, environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]
    ) -> Iterable[bytes]:
        signature = str(environ.get("HTTP_AUTHORIZATION", ""))
        ACCESS_KEY.set(signature.partition("Credential=")[2].partition("/")[0])
        return super().__call__(environ, start)

    # --- starting -------------------------------------------------------------------------------------------------------

    def execute_statement(self, region: str, Sql: str, **given: Any) -> Given:
        return self._submit(region, [Sql], given, is_batch=False)

    def batch_execute_statement(self, region: str, Sqls: list[str], **given: Any) -> Given:
        return self._submit(region, Sqls, given, is_batch=True)

    def _submit(self, region: str, texts: list[str], given: Given, is_batch: bool) -> Given:
        if unknown := sorted(given.keys() - _KNOWN):
            raise NotImplementedError(f"Redshift Data with {unknown[0]}")
        if given.get("ResultFormat", "JSON") != "JSON" or given.get("WithEvent"):
            raise NotImplementedError("Redshift Data with ResultFormat CSV or WithEvent")
        parameters = given.get("Parameters", [])
        _check(texts, [each["name"] for each in parameters])
        warehouse, place = self._place(region, given)
        caller = login_by_caller(self._account)
        secret = given.get("SecretArn")
        created = redshift_clock.now()
        statement = Statement(
            owner=caller.user,
            warehouse=warehouse,
            login=login_by_secret(self._account, region, secret) if secret else caller,
            database=_required(given, "Database"),
            place=place | ({"SecretArn": secret} if secret else {}),
            steps=[Step(text, created) for text in texts],
            is_batch=is_batch,
            name=given.get("StatementName", ""),
            parameters=parameters,
        )
        statement, is_new = self._statements.add(statement, given.get("ClientToken", ""))
        told = statement.submitted()
        if is_new:
            Thread(target=run, args=(self._account, self._servers, statement), daemon=True).start()
        return told

    def _place(self, region: str, given: Given) -> tuple[Warehouse, dict[str, str]]:
        names: dict[str, str] = {key: given[key] for key in ("WorkgroupName", "ClusterIdentifier") if key in given}
        match names:
            case {"WorkgroupName": name} if len(names) == 1:
                return workgroup(self._account, region, self._serverless, name), names
            case {"ClusterIdentifier": name} if len(names) == 1:
                return cluster(self._account, region, name), names
        raise ServiceError("ValidationException", "Specify either WorkgroupName or ClusterIdentifier.")

    # --- following ------------------------------------------------------------------------------------------------------

    def describe_statement(self, region: str, Id: str) -> Given:
        statement, step = self._found(Id)
        told = statement.described()
        return told if step is None else told | statement.steps[step].described() | {"Id": Id, "SubStatements": []}

    def cancel_statement(self, region: str, Id: str) -> Given:
        statement, _ = self._found(Id)
        if statement.status in ENDED:
            raise ServiceError(
                "ValidationException",
                f"Could not cancel a query that is already in {statement.status} state with ID: {Id}",
            )
        statement.cancel()
        return {"Status": True}

    def get_statement_result(self, region: str, Id: str, NextToken: str = "0") -> Given:
        statement, number = self._found(Id)
        if statement.is_batch and number is None:
            raise ServiceError(
                "ValidationException", "BatchExecuteStatement result can only be retrieved with sub-statement id."
            )
        step = statement.steps[number or 0]
        if statement.status != "FINISHED" or step.result is None:
            raise ServiceError(
                "ResourceNotFoundException",
                "Query does not have result. Please check query status with DescribeStatement.",
            )
        first, size = _offset(NextToken), 0
        last = first
        while last < len(step.result.records) and (last == first or size + step.result.sizes[last] <= PAGE_BYTES):
            size += step.result.sizes[last]
            last += 1
        page = {
            "Records": step.result.records[first:last],
            "ColumnMetadata": step.result.columns,
            "TotalNumRows": len(step.result.records),
        }
        return page | ({"NextToken": str(last)} if last < len(step.result.records) else {})

    def list_statements(self, region: str, **given: Any) -> Given:
        """The caller's own, the newest first, by default those that have finished."""
        owner, wanted = login_by_caller(self._account).user, given.get("Status", "FINISHED")
        found = [
            each
            for each in reversed(self._statements.all())
            if each.owner == owner
            and wanted in ("ALL", each.status)
            and each.name.startswith(given.get("StatementName", ""))
            and given.get("Database", each.database) == each.database
            and all(each.place.get(key) == given[key] for key in ("WorkgroupName", "ClusterIdentifier") if key in given)
        ]
        first, most = _offset(given.get("NextToken", "0")), given.get("MaxResults") or 100
        more = {"NextToken": str(first + most)} if first + most < len(found) else {}
        return {"Statements": [each.listed() for each in found[first : first + most]]} | more

    def _found(self, id_: str) -> tuple[Statement, int | None]:
        if not _ID.fullmatch(id_):
            raise ServiceError("ValidationException", f"id must satisfy regex pattern: ^{_ID.pattern}$")
        return self._statements.get(id_)


def _check(texts: list[str], parameters: list[str]) -> None:
    """What the Data API itself refuses, before anything runs."""
    if not 1 <= len(texts) <= MOST_STATEMENTS:
        raise ServiceError(
            "ValidationException",
            f"1 validation error detected: Value at 'sqls' failed to satisfy constraint: Member must have length less than or "
            f"equal to {MOST_STATEMENTS}",
        )
    for text in texts:
        if len(text.encode()) > LONGEST_STATEMENT_BYTES:
            raise ServiceError(
                "ValidationException", f"Cannot process sql with length greater than {LONGEST_STATEMENT_BYTES} bytes."
            )
        try:
            tokens = tokens_of(text)
        except RedshiftError:
            continue  # told by the statement, which fails
        if not tokens:
            raise ServiceError("ValidationException", "Sql must not be empty.")
        if any(token.token_type is TokenType.SEMICOLON for token in tokens):
            raise ServiceError("ValidationException", "Multiple sql statements are not allowed.")
    unused = [name for name in parameters if not any(re.search(rf":{name}\b", text) for text in texts)]
    if unused:
        told = f"Parameters list contains unused parameters. Unused parameters: [{', '.join(unused)}]"
        raise ServiceError("ValidationException", told)


def _required(given: Given, name: str) -> str:
    if not given.get(name):
        raise ServiceError("ValidationException", f"{name} is required.")
    return str(given[name])


def _offset(token: str) -> int:
    if not token.isdigit():
        raise ServiceError("ValidationException", "Invalid NextToken.")
    return int(token)
