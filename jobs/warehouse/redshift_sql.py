"""A report's Redshift SQL: what is wrong with it, and the same query for Postgres.

`sqlglot` translates; where its translation would give another number than Redshift does, the tree is rewritten first. What
Postgres would run and Redshift refuses is refused here, so that a report which works on a laptop works on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, UnsupportedError
from sqlglot.tokenizer_core import TokenType

from jobs.warehouse.redshift_words import RESERVED, UNPORTABLE_FUNCTIONS

AS_OF = "as_of"
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}
_MONTHS = {"MONTH": 1, "YEAR": 12}
_UNITS = (*_SECONDS, "DAY", *_MONTHS)
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Lock, exp.DDL)
_CLOCKS = (
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentDatetime,
    exp.Localtime,
    exp.Localtimestamp,
)


def parse_report(sql: str) -> exp.Query | list[str]:
    """The one query of a report, or why it cannot be one."""
    try:
        statements = [one for one in sqlglot.parse(sql, read="redshift") if one and not isinstance(one, exp.Semicolon)]
    except ParseError as error:
        first = error.errors[0]
        return [f"{first['description'].rstrip('.')!r} at line {first['line']}. Correct the SQL"]
    except SqlglotError as error:
        return [f"{str(error).splitlines()[0]!r}. Correct the SQL"]
    if len(statements) != 1:
        return [f"{len(statements)} statements. Write exactly one"]
    if not isinstance(statements[0], exp.Query):
        return [f"a statement of kind {statements[0].key.upper()}. Write a SELECT"]
    return statements[0]


def problems(query: exp.Query) -> Iterator[str]:
    """Everything that Redshift would refuse or answer differently: `<what>. <What to write instead>`."""
    if any(query.find_all(*_WRITES)):
        yield "one that writes or locks. Write a SELECT without INTO, FOR UPDATE and data-changing parts"
    if any(query.find_all(exp.Filter)):
        yield "FILTER, which Redshift lacks. Write SUM(CASE WHEN … THEN 1 ELSE 0 END)"
    if any(distinct.args.get("on") for distinct in query.find_all(exp.Distinct)):
        yield "DISTINCT ON, which Redshift lacks. Write ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) and keep row 1"
    if any(query.find_all(*_CLOCKS)) or "getdate" in _function_names(query):
        yield "the clock. Write :as_of, so that a report can be made again"
    for name in sorted(_function_names(query) & UNPORTABLE_FUNCTIONS.keys()):
        yield f"{name.upper()}. Write {UNPORTABLE_FUNCTIONS[name]}"
    for word in sorted({name.this.lower() for name in query.find_all(exp.Identifier) if not name.quoted} & RESERVED):
        yield f'{word} as a name, which Redshift reserves. Write "{word}"'
    yield from _placeholder_problems(query)
    yield from _aggregate_problems(query)
    units = {unit for node in query.find_all(exp.TsOrDsDiff, exp.DateDiff) if (unit := _unit(node)) not in _UNITS}
    for unit in sorted(units):
        yield f"DATEDIFF in {unit.lower()}. Write one of {', '.join(_UNITS).lower()}"
    for name in sorted(tables_without_schema(query)):
        yield f"table {name} without its schema. Write <pipeline>.{name}"


def to_postgres(query: exp.Query, as_of: datetime) -> str:
    """The same query for Postgres. Only for a query without problems.

    Raises:
        UnsupportedError: sqlglot knows no way to say it.
    """
    tree = query.copy()
    for node in reversed(list(tree.bfs())):  # the innermost first; what a rewrite makes is not visited again
        node.replace(_rewritten(node, as_of))
    return tree.sql(dialect="postgres", unsupported_level=ErrorLevel.RAISE, comments=False)


def with_as_of(sql: str, as_of: datetime) -> str:
    """The same text for Redshift, with the instant in place of `:as_of`: as a parameter of the Data API it would have no type."""
    tokens = sqlglot.tokenize(sql, read="redshift")
    for colon, name in reversed(list(pairwise(tokens))):
        if colon.token_type is TokenType.COLON and name.text == AS_OF and name.start == colon.end + 1:
            sql = sql[: colon.start] + _instant(as_of).sql(dialect="redshift") + sql[name.end + 1 :]
    return sql


def translation_problem(query: exp.Query) -> str | None:
    try:
        to_postgres(query, datetime(2000, 1, 1, tzinfo=UTC))
    except UnsupportedError as error:
        return f"what cannot run locally, {str(error).splitlines()[0]!r}. Write it in simpler SQL"
    return None


def tables_of(query: exp.Query) -> set[tuple[str, str]]:
    """(schema, name) of every table that is read."""
    return {(table.db, table.name) for table in query.find_all(exp.Table) if table.db}


def tables_without_schema(query: exp.Query) -> set[str]:
    named_inside = {cte.alias for cte in query.find_all(exp.CTE)}
    return {table.name for table in query.find_all(exp.Table) if table.name and not table.db} - named_inside


def _function_names(query: exp.Query) -> set[str]:
    """Lower case; sqlglot's canonical name where it knows the function."""
    names = (node.name if isinstance(node, exp.Anonymous) else node.sql_name() for node in query.find_all(exp.Func))
    return {name.lower().removeprefix("exploding_") for name in names}


def _placeholder_problems(query: exp.Query) -> Iterator[str]:
    for node in query.find_all(exp.Placeholder, exp.Parameter):
        if not (isinstance(node, exp.Placeholder) and node.name == AS_OF):
            yield f"the parameter {node.name or '?'!r}. Write :as_of, the only one"


def _aggregate_problems(query: exp.Query) -> Iterator[str]:
    for node in query.find_all(exp.GroupConcat):
        if not isinstance(node.parent, exp.WithinGroup):
            yield "LISTAGG in no order. Write LISTAGG(x, ', ') WITHIN GROUP (ORDER BY …)"
        elif isinstance(node.parent.parent, exp.Window):
            yield "LISTAGG with OVER, which does not run locally. Aggregate in a subquery and join it"
    for average in query.find_all(exp.Avg):
        value = average.this.expressions[0] if isinstance(average.this, exp.Distinct) else average.this
        if not (isinstance(value, exp.Cast) and value.to.is_type("double", "float")):
            yield "AVG of what may be an integer, which Redshift cuts to one. Write AVG(CAST(x AS DOUBLE PRECISION))"


def _unit(node: exp.Func) -> str:
    return str(node.text("unit")).upper()


def _rewritten(node: exp.Expr, as_of: datetime) -> exp.Expr:
    """One node, whose children are rewritten already; itself where Postgres reads it as Redshift does."""
    if isinstance(node, exp.Placeholder):
        return _instant(as_of)
    if isinstance(node, exp.TsOrDsDiff | exp.DateDiff):
        return _boundaries_crossed(_unit(node), node.expression, node.this)
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.GroupConcat):
        return _string_agg(node)
    if isinstance(node, exp.Cast):
        return _with_redshift_default_size(node)
    if isinstance(node, exp.TimestampTrunc):
        node.set("this", _timestamp(node.this))  # of a date Postgres would make a time with zone
    if isinstance(node, exp.Concat):
        return _joined_or_null(node)
    return node


def _instant(as_of: datetime) -> exp.Expr:
    utc = as_of.astimezone(UTC) if as_of.tzinfo else as_of
    return exp.cast(exp.Literal.string(utc.replace(tzinfo=None).isoformat(" ")), "timestamp")


def _boundaries_crossed(unit: str, start: exp.Expression, end: exp.Expression) -> exp.Expression:
    """DATEDIFF as Redshift counts: hours from 10:59 to 11:01 are 1."""
    if unit == "DAY":
        days = exp.Sub(this=exp.cast(end, "date"), expression=exp.cast(start, "date"))
        return exp.cast(exp.paren(days), "bigint")
    if unit in _SECONDS:
        between = exp.paren(exp.Sub(this=_truncated(unit, end), expression=_truncated(unit, start)))
        seconds = exp.cast(exp.Extract(this=exp.var("EPOCH"), expression=between), "bigint")
        return exp.paren(exp.Div(this=seconds, expression=exp.Literal.number(_SECONDS[unit]), typed=True))
    if unit == "YEAR":
        return exp.cast(exp.paren(exp.Sub(this=_part("YEAR", end), expression=_part("YEAR", start))), "bigint")
    return exp.cast(exp.paren(exp.Sub(this=_month_number(end), expression=_month_number(start))), "bigint")


def _truncated(unit: str, value: exp.Expression) -> exp.Expression:
    return exp.TimestampTrunc(this=_timestamp(value), unit=exp.var(unit))


def _month_number(value: exp.Expression) -> exp.Expression:
    years = exp.Mul(this=_part("YEAR", value), expression=exp.Literal.number(12))
    return exp.paren(exp.Add(this=years, expression=_part("MONTH", value)))


def _part(unit: str, value: exp.Expression) -> exp.Expression:
    return exp.Extract(this=exp.var(unit), expression=_timestamp(value))


def _timestamp(value: exp.Expression) -> exp.Expression:
    return exp.cast(value.copy(), "timestamp")


def _string_agg(node: exp.WithinGroup) -> exp.Expression:
    """LISTAGG skips NULLs and has no separator by default; of nothing both make NULL. It takes any type: hence the cast.

    With DISTINCT Postgres orders by nothing but the value as it is listed, so there the report has to cast it.
    """
    listed, separator = node.this.this, node.this.args.get("separator")
    if isinstance(listed, exp.Distinct):  # sqlglot 30 keeps the separator inside
        separator = separator or (listed.expressions[1] if len(listed.expressions) > 1 else None)
        value: exp.Expression = exp.Distinct(expressions=listed.expressions[:1])
    else:
        value = exp.cast(listed, "text")
    order = exp.Order(this=separator or exp.Literal.string(""), expressions=node.expression.expressions)
    return exp.Anonymous(this="STRING_AGG", expressions=[value, order])


def _with_redshift_default_size(node: exp.Cast) -> exp.Expression:
    """In Redshift VARCHAR and TEXT are VARCHAR(256), DECIMAL is DECIMAL(18, 0), VARCHAR(MAX) is VARCHAR(65535)."""
    size = node.to.expressions
    if node.to.is_type("varchar", "text") and not size:
        node.set("to", exp.DataType.build("varchar(256)"))
    elif node.to.is_type("decimal") and not size:
        node.set("to", exp.DataType.build("decimal(18, 0)"))
    elif node.to.is_type("varchar") and size[0].name.upper() == "MAX":
        node.set("to", exp.DataType.build("varchar(65535)"))
    return node


def _joined_or_null(node: exp.Concat) -> exp.Expression:
    """CONCAT with a NULL is NULL in Redshift; Postgres's own leaves it out."""
    joined: exp.Expression = node.expressions[0]
    for part in node.expressions[1:]:
        joined = exp.DPipe(this=joined, expression=part, safe=True)
    return exp.paren(joined)
