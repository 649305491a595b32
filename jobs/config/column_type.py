"""The types a contract can name, and what they are called in each engine."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

TEXT_BYTES = 65_535  # Redshift's largest varchar, in UTF-8 bytes
_SIMPLE = ("boolean", "smallint", "int", "bigint", "double", "date", "timestamp", "text")
_PATTERN = r"^(boolean|smallint|int|bigint|double|date|timestamp|text|varchar\([1-9][0-9]*\)|numeric\([1-9][0-9]*, ?[0-9]+\))$"


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


def parse_type(value: Any) -> SqlType:
    """`varchar(40)`, `numeric(10,2)`, `bigint` … as a SqlType. Raises ValueError with what is allowed."""
    if isinstance(value, SqlType):
        return value
    if not isinstance(value, str) or not re.match(_PATTERN, value):
        raise ValueError(f"expected one of {', '.join(_SIMPLE)}, varchar(bytes), numeric(precision,scale); got {value!r}")
    numbers = [int(number) for number in re.findall(r"\d+", value)]
    kind = value.split("(")[0]
    if kind == "varchar" and numbers[0] > TEXT_BYTES:
        raise ValueError(f"expected at most varchar({TEXT_BYTES}), got {value!r}")
    if kind == "numeric" and not (numbers[0] <= 38 and numbers[1] <= numbers[0]):
        raise ValueError(f"expected numeric(p,s) with s <= p <= 38, got {value!r}")
    if kind == "varchar":
        return SqlType(kind=kind, length=numbers[0])
    if kind == "numeric":
        return SqlType(kind=kind, precision=numbers[0], scale=numbers[1])
    return SqlType(kind=kind, length=TEXT_BYTES if kind == "text" else None)


ColumnType = Annotated[
    SqlType,
    BeforeValidator(parse_type),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
