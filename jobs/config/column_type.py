"""The types a contract can name, and what they are called in each engine."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

TEXT_BYTES = 65_535  # Redshift's largest varchar, in UTF-8 bytes
_SIMPLE = ("boolean", "smallint", "int", "bigint", "double", "date", "timestamp", "text")
_PATTERN = (
    r"^(boolean|smallint|int|bigint|double|date|timestamp|text|varchar\([1-9][0-9]*\)|numeric\([1-9][0-9]*, ?[0-9]+\))$"
)
_ELSEWHERE = {
    "bool": "boolean",
    "datetime": "timestamp",
    "decimal": "numeric(10,2)",
    "float": "double",
    "int8": "bigint",
    "integer": "int",
    "long": "bigint",
    "number": "numeric(10,2)",
    "numeric": "numeric(10,2)",
    "string": "text",
    "timestamptz": "timestamp",
    "varchar": "varchar(100)",
}


class SqlType(BaseModel):
    """A parsed column type. `length` is in UTF-8 bytes (varchar, text); `precision` and `scale` are of numeric."""

    model_config = ConfigDict(frozen=True)

    kind: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        if self.kind == "varchar":
            return f"varchar({self.length})"
        if self.kind == "numeric":
            return f"numeric({self.precision},{self.scale})"
        return self.kind

    @property
    def is_text(self) -> bool:
        return self.kind in ("varchar", "text")

    def compares(self, other: SqlType) -> bool:
        """Whether equal values of both are the same value, whatever their lengths."""
        return self.kind == other.kind or (self.is_text and other.is_text)


def parse_type(value: Any) -> SqlType:
    """`varchar(40)`, `numeric(10,2)`, `bigint` … as a SqlType. Raises ValueError with what is allowed."""
    if isinstance(value, SqlType):
        return value
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        raise _refused(f"one of {', '.join(_SIMPLE)}, varchar(bytes), numeric(precision,scale)", value, _meant(value))
    numbers = [int(number) for number in re.findall(r"\d+", value)]
    kind = value.split("(")[0]
    if kind == "varchar" and numbers[0] > TEXT_BYTES:
        raise _refused(f"at most varchar({TEXT_BYTES})", value, "text is the longest type there is.")
    if kind == "numeric" and not (numbers[0] <= 38 and numbers[1] <= numbers[0]):
        raise _refused("numeric(p,s) with s <= p <= 38", value)
    if kind == "varchar":
        return SqlType(kind=kind, length=numbers[0])
    if kind == "numeric":
        return SqlType(kind=kind, precision=numbers[0], scale=numbers[1])
    return SqlType(kind=kind, length=TEXT_BYTES if kind == "text" else None)


def _refused(expected: str, got: object, hint: str = "") -> PydanticCustomError:
    """A ValueError whose parts stay apart, for the report of all problems."""
    parts = {"expected": expected, "got": repr(got), "hint": hint}
    return PydanticCustomError("column_type", "expected {expected}; got {got}", parts)


def _meant(value: object) -> str:
    """What somebody probably meant who wrote another engine's name, or a comma inside `{}`."""
    word = str(value).strip().lower().split("(")[0]
    if word in ("numeric", "decimal") and ")" not in str(value):
        return "YAML splits at a comma inside {…}: quote the type, as in 'numeric(10,2)'."
    near = _ELSEWHERE.get(word) or next(iter(get_close_matches(word, (*_SIMPLE, "varchar", "numeric"), n=1)), "")
    return f"Did you mean {near!r}?" if near else ""


ColumnType = Annotated[
    SqlType,
    BeforeValidator(parse_type),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
