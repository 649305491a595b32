"""What Redshift refuses although Postgres would run it, and what Redshift answers otherwise and cannot be imitated here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from infra.local.redshift_errors import RedshiftError, syntax_error
from jobs.warehouse.redshift_words import RESERVED, UNPORTABLE_FUNCTIONS

# Developer guide, "Data types": those that Postgres can stand in for.
_TYPES = (
    "smallint",
    "int",
    "bigint",
    "decimal",
    "float",
    "double",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "time",
)
_TEXT_TYPES = ("char", "nchar", "bpchar", "varchar", "nvarchar", "text")
_OTHER_REDSHIFT_TYPES = ("super", "hllsketch", "geometry", "geography", "interval", "timetz")
LONGEST_VARCHAR = 65_535

# Developer guide, "Unsupported PostgreSQL functions", and what Postgres has got since 8.0; sqlglot knows them all.
_NO_FUNCTIONS = {
    "array_agg",
    "generate_series",
    "string_agg",
    "unnest",
    "regexp_matches",
    "gen_random_uuid",
    "to_jsonb",
}
# Functions that sqlglot does not know and that both engines have. Every other such function is refused.
_COMMON_FUNCTIONS = {
    "bit_length", "btrim", "current_database", "current_schema", "has_database_privilege", "has_schema_privilege",
    "has_table_privilege", "octet_length", "pg_backend_pid", "quote_ident", "quote_literal", "version",
}  # fmt: skip


def refuse_functions(tokens: list[Token]) -> None:
    """By their names as written, because in the tree STRING_AGG and LISTAGG are one."""
    for token, following in pairwise(tokens):
        name = token.text.lower()
        if following.token_type is not TokenType.L_PAREN or token.token_type is TokenType.STRING:
            continue
        if name in _NO_FUNCTIONS:
            raise RedshiftError(f"function {name}() does not exist")
        if name in UNPORTABLE_FUNCTIONS:
            raise _not_imitated(f"{name.upper()}, which answers otherwise in Redshift")


def refuse(tree: exp.Expr) -> None:
    """Raises RedshiftError for the first thing in a statement that Redshift refuses."""
    for problem in _problems(tree):
        raise problem
    for type_ in tree.find_all(exp.DataType):
        column = type_.parent if isinstance(type_.parent, exp.ColumnDef) else None
        refuse_type(type_, column.name if column else "?column?", _table_of(tree))


def refuse_type(type_: exp.DataType, column: str, table: str) -> None:
    written = type_.sql(dialect="postgres").lower()
    if type_.is_type(*_TEXT_TYPES):
        size = length_of(type_)
        if size is not None and size > LONGEST_VARCHAR:
            raise RedshiftError(f"length for type varchar cannot exceed {LONGEST_VARCHAR}")
    elif type_.is_type(*_OTHER_REDSHIFT_TYPES):
        raise _not_imitated(f"the type {written}")
    elif not type_.is_type(*_TYPES):
        raise RedshiftError(f'Column "{table}.{column}" has unsupported type "{written}".')


def length_of(type_: exp.DataType) -> int | None:
    """n of VARCHAR(n), with MAX as the number that it stands for; None where no length is written."""
    if not type_.expressions:
        return None
    written = type_.expressions[0].name.upper()
    return LONGEST_VARCHAR if written == "MAX" else int(written)


def _problems(tree: exp.Expr) -> Iterator[RedshiftError]:
    for name in tree.find_all(exp.Identifier):
        if not name.quoted and name.this.lower() in RESERVED:
            yield syntax_error(name.this)
    for kind, near in ((exp.OnConflict, "ON"), (exp.Returning, "RETURNING"), (exp.Filter, "(")):
        if tree.find(kind):
            yield syntax_error(near)
    if any(distinct.args.get("on") for distinct in tree.find_all(exp.Distinct)):
        yield RedshiftError("SELECT DISTINCT ON is not supported")
    if isinstance(tree, exp.Delete | exp.Merge) and tree.this.args.get("alias"):
        yield syntax_error(tree.this.alias)
    if isinstance(tree, exp.Merge):
        yield from _merge_problems(tree)
    for function in tree.find_all(exp.Anonymous):
        if function.name.lower() not in _COMMON_FUNCTIONS:
            yield RedshiftError(f"function {function.name.lower()}() does not exist")
    for average in tree.find_all(exp.Avg):
        value = average.this.expressions[0] if isinstance(average.this, exp.Distinct) else average.this
        if not (isinstance(value, exp.Cast) and value.to.is_type("double", "float", "decimal")):
            yield _not_imitated("AVG of what may be an integer, which Redshift cuts to one")


def _merge_problems(merge: exp.Merge) -> Iterator[RedshiftError]:
    """One clause for matches and one for the rest, both without a condition (developer guide, "MERGE")."""
    whens = merge.args["whens"].expressions
    if any(when.args.get("condition") for when in whens):
        yield syntax_error("AND")
    if sorted(bool(when.args.get("matched")) for when in whens) != [False, True]:
        yield RedshiftError("MERGE must have one WHEN MATCHED and one WHEN NOT MATCHED clause")


def _table_of(tree: exp.Expr) -> str:
    table = tree.find(exp.Table)
    return table.name if table else ""


def _not_imitated(what: str) -> RedshiftError:
    return RedshiftError(f"The embedded Redshift does not run {what}. Redshift itself would.")
