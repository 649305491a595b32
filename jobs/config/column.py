"""One column of a contract: its type, where it comes from, and the checks its values must pass."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler, StrictBool, StrictInt, model_validator
from pydantic_core import CoreSchema

from jobs.config.column_type import ColumnType
from jobs.config.frozen import Frozen, Name

TRANSFORMS = Literal["lower", "upper", "trim", "url_decode"]
OnFailure = Literal["quarantine", "warn", "filter", "refuse"]

AS_OF = "_as_of"
"""The `from` of a derived table's column that holds the plan's time."""

RESERVED_FIELDS = ("_record", "_offset", "_raw")
"""What sources add to the fields of a record (named in jobs.batches): no column can be read from a field of these names."""


class Column(Frozen):
    """One column of the curated table and the checks its values must pass. NULL only where `nullable`.

    Two columns may read the same source field (an address as delivered, and one in lower case).

    `on_failure` says what becomes of a record that fails one of this column's checks: `pattern`, `one_of`, `minimum`,
    `maximum`, `not_blank`, `references`. A value of the wrong type, or a NULL where none may be, is always quarantined.

    - `quarantine` (default): the record goes to the feed's quarantine table with its reasons; the rest of the batch goes on.
    - `warn`: the record is accepted and the failure counted.
    - `filter`: the record is left out on purpose: counted in the balance, kept nowhere.
    - `refuse`: one such record voids the whole batch; nothing of it is written.
    """

    type: ColumnType = Field(description="varchar(n) counts UTF-8 bytes; text is varchar(65535).")
    source: str | None = Field(
        default=None,
        alias="from",
        min_length=1,
        description="The source's name of it; absent: the column's own name. In events a dotted path: properties.id.",
    )
    nullable: StrictBool = Field(default=False, description="Whether NULL (an empty CSV field) is a value.")
    transform: tuple[TRANSFORMS, ...] = Field(default=(), description="Applied in order, before the checks.")
    pattern: str | None = Field(
        default=None, min_length=1, description="RE2, found anywhere in the text: anchor it with ^ and $."
    )
    one_of: tuple[str, ...] | None = Field(default=None, min_length=1, description="The only texts allowed.")
    minimum: StrictInt | None = Field(default=None, description="Smallest number allowed.")
    maximum: StrictInt | None = Field(default=None, description="Largest number allowed.")
    not_blank: StrictBool = Field(default=False, description="Refuses '' and texts of white space only.")
    references: Name | None = Field(default=None, description="A table whose one key column must hold the value.")
    on_failure: OnFailure = Field(
        default="quarantine",
        description="quarantine the record, warn (keep it, count it), filter (leave it out, count it), "
        "or refuse (void the batch). Type and null failures are always quarantined.",
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`id: bigint` is short for `id: {type: bigint}`."""
        return {"type": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        long_form = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [long_form["properties"]["type"], long_form]}
