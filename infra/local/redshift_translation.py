"""One statement of Redshift as what Postgres runs in its place. Text in, text out, no connection.

Queries and changes go through `jobs.warehouse.redshift_sql`, as reports do on a laptop. A statement that is not known here fails: what
Postgres makes of it would say nothing about Redshift.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from infra.local.redshift_copy_command import CopyCommand, parse_copy
from infra.local.redshift_ddl import alter_table, append_from, create_table
from infra.local.redshift_errors import RedshiftError, syntax_error
from infra.local.redshift_refusals import refuse, refuse_functions
from infra.local.redshift_table_attributes import without_attributes
from jobs.warehouse.redshift_sql import to_postgres

# Both engines read these alike, but for a role that is announced as one.
_ALIKE = {
    "ANALYZE", "CALL", "COMMENT", "CREATE ROLE", "CREATE SCHEMA", "DROP PROCEDURE", "DROP ROLE", "DROP SCHEMA", "DROP TABLE",
    "DROP VIEW", "GRANT", "REVOKE", "SHOW",
}  # fmt: skip
_QUERIES = {"SELECT", "WITH", "("}
_CHANGES = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)  # to_postgres asks for one; parameters are bound before


@dataclass(frozen=True)
class Translated:
    """`table` is the one whose write lock the statement takes; `commits`: it ends the transaction in which it runs."""

    statements: list[str]
    kind: str
    table: str = ""
    commits: bool = False
    reads_tables: bool = False
    copy: CopyCommand | None = None


def tokens_of(sql: str) -> list[Token]:
    """Without the semicolon at the end. Raises RedshiftError."""
    try:
        tokens = sqlglot.tokenize(sql, read="redshift")
    except SqlglotError as error:
        raise syntax_error(str(error).splitlines()[0]) from error
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    return tokens


def translate(sql: str, parameters: Mapping[str, str], in_batch: bool) -> Translated:
    """Raises RedshiftError for what Redshift refuses, and for what the embedded one does not know."""
    tokens = tokens_of(sql)
    words = [token.text.upper() for token in tokens[:4]] + [""] * 4
    kind = next((known for known in (f"{words[0]} {words[1]}", words[0]) if known in _ALIKE), words[0])
    sql = sql[: tokens[-1].end + 1]
    if kind in _ALIKE:
        return Translated([_without_role_word(_folded(sql, tokens))], kind)
    match words:
        case [first, *_] if first in _QUERIES | _CHANGES:
            return _query_or_change(sql, tokens, first, parameters)
        case ["CREATE", "TABLE", *_] | ["CREATE", "TEMP" | "TEMPORARY", "TABLE", *_]:
            bare, attributes = without_attributes(sql, tokens)
            return Translated(create_table(cast(exp.Create, _parsed(bare, exp.Create)), attributes), "CREATE TABLE")
        case ["CREATE", "PROCEDURE", *_] | ["CREATE", "OR", "REPLACE", "PROCEDURE", *_]:
            return Translated([_without_role_word(sql)], "CREATE PROCEDURE")
        case ["CREATE", "INDEX", *_] | ["CREATE", "UNIQUE", "INDEX", *_]:
            raise RedshiftError('SQL command "CREATE INDEX" not supported on Redshift tables.')
        case ["ALTER", "TABLE", *_]:
            return _alter_table(sql, tokens, in_batch)
        case ["TRUNCATE", *_]:
            return Translated([_parsed(sql, exp.TruncateTable).sql(dialect="postgres")], "TRUNCATE", commits=True)
        case ["LOCK", *_]:
            return Translated([_lock(sql)], "LOCK")
        case ["COPY", *_]:
            copy = parse_copy(tokens)
            return Translated([], "COPY", copy.table, copy=copy)
    raise RedshiftError(f"The embedded Redshift does not run {words[0]} {words[1]}. Redshift itself might.")


def _query_or_change(sql: str, tokens: list[Token], kind: str, parameters: Mapping[str, str]) -> Translated:
    refuse_functions(tokens)
    tree = _parsed(sql, exp.Query if kind in _QUERIES else exp.Expr)
    if any(tree.find_all(exp.Into, exp.Lock)):
        raise RedshiftError("The embedded Redshift does not run SELECT INTO or FOR UPDATE. Redshift itself might.")
    for node in list(tree.find_all(exp.Placeholder)):
        if node.name not in parameters:
            raise syntax_error(":")
        node.replace(exp.Literal.string(parameters[node.name]))
    for clock in list(tree.find_all(exp.CurrentTimestamp)):  # GETDATE has no time zone
        clock.replace(exp.cast(exp.CurrentTimestamp(), "timestamp"))
    reads_tables = tree.find(exp.Table) is not None
    # Its rewrites are of single nodes, whatever statement they stand in.
    translated = to_postgres(cast(exp.Query, tree), _NO_MOMENT)
    return Translated([translated], kind, _written(tree), reads_tables=reads_tables)


def _written(tree: exp.Expr) -> str:
    """The table that a statement changes; empty for a query."""
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return ""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return exp.table_(target.name, db=target.db or None, quoted=True).sql(dialect="postgres")


def _alter_table(sql: str, tokens: list[Token], in_batch: bool) -> Translated:
    words = [token.text.upper() for token in tokens]
    if "APPEND" in words:
        if in_batch:
            raise RedshiftError("ALTER TABLE APPEND cannot run inside a transaction block")
        return _append(sql)
    if "OWNER" in words:
        return Translated([_folded(sql, tokens)], "ALTER TABLE")
    bare, _ = without_attributes(sql, tokens)
    return Translated(alter_table(cast(exp.Alter, _parsed(bare, exp.Alter)), in_batch), "ALTER TABLE")


def _append(sql: str) -> Translated:
    found = re.fullmatch(r"ALTER\s+TABLE\s+([\w.\"]+)\s+APPEND\s+FROM\s+([\w.\"]+)", sql.strip(), flags=re.IGNORECASE)
    if not found:
        raise RedshiftError(
            "The embedded Redshift does not run ALTER TABLE APPEND with options. Redshift itself would."
        )
    target, source = (name.lower() for name in found.groups())
    return Translated(append_from(target, source), "ALTER TABLE APPEND")


def _lock(sql: str) -> str:
    """ACCESS EXCLUSIVE is the only mode, and it cannot be written (developer guide, "LOCK")."""
    named = re.sub(r"\A\s*LOCK\s+(TABLE\s+)?", "", sql, flags=re.IGNORECASE)
    tokens = tokens_of(named)
    for token in tokens:
        if token.text.upper() in ("IN", "NOWAIT") and token.token_type is not TokenType.IDENTIFIER:
            raise syntax_error(token.text)
    return f"LOCK TABLE {_folded(named, tokens)} IN ACCESS EXCLUSIVE MODE"


def _parsed(sql: str, kind: type[exp.Expr]) -> exp.Expr:
    """The tree, with names in lower case, quoted or not (developer guide, "Names and identifiers")."""
    try:
        tree = sqlglot.parse_one(sql, read="redshift")
    except ParseError as error:
        raise syntax_error(error.errors[0].get("highlight") or "end of input") from error
    if isinstance(tree, exp.Command) or not isinstance(tree, kind):
        raise RedshiftError(
            f"The embedded Redshift does not run this kind of {sql.split()[0].upper()}. Redshift itself might."
        )
    refuse(tree)
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.this.lower())
    return tree


def _folded(sql: str, tokens: list[Token]) -> str:
    """The text with its quoted names in lower case."""
    for token in tokens:
        if token.token_type is TokenType.IDENTIFIER:
            sql = sql[: token.start] + sql[token.start : token.end + 1].lower() + sql[token.end + 1 :]
    return sql


def _without_role_word(sql: str) -> str:
    """Postgres has no ROLE in TO ROLE x, FROM ROLE x and GRANT ROLE x."""
    return re.sub(r"\b(TO|FROM|GRANT|REVOKE)(\s+)ROLE\s+", r"\1\2", sql, flags=re.IGNORECASE)
