"""A contract written as in YAML, applied to a few fields: how the tests of contracts act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from hypothesis import Phase, settings
from hypothesis import strategies as st

from jobs.config.table import Table
from jobs.contracts.contract import RowContract, Verdict

REFUSED = "refused"
# Without shrinking: what differs is shown value by value.
FEW = settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate])
WORDS = st.text(st.sampled_from(" \t\n\u00a0\u3000\x0b\x85\u200baÄéßK") | st.characters(codec="utf-8"), max_size=6)


def table(columns: Mapping[str, Any]) -> Table:
    return Table.model_validate({"from": "feed", "columns": columns, "load": {"mode": "replace", "min_rows": 0}})


def piece(fields: Mapping[str, Any]) -> pa.Table:
    """Fields as a source hands them over: numbered from 1, with offsets. Lists of texts, or Arrow arrays."""
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        for name, values in fields.items()
    }
    rows = len(next(iter(arrays.values())))
    return pa.table(
        {**arrays, "_record": pa.array(range(1, rows + 1), pa.int64()), "_offset": pa.array(range(0, rows * 10, 10))}
    )


def judge(
    columns: Mapping[str, Any], fields: Mapping[str, Any], *, empty_is_null: bool = False, timezone: str = "UTC"
) -> Verdict:
    """The verdict of a new contract on one piece of the object `o.csv`."""
    contract, delivered = table(columns), piece(fields)
    names = {name: column.source or name for name, column in contract.columns.items()}
    compiled = RowContract(contract, names, delivered.schema, empty_is_null=empty_is_null, timezone=timezone)
    return compiled.apply(delivered, "o.csv")


def read_as(sql_type: str, values: Sequence[str | None] | pa.Array, timezone: str = "UTC", **column: Any) -> list[Any]:
    """Each value as a column of that type holds it, or REFUSED; the type is nullable, '' is a text."""
    kind = {"type": sql_type, "nullable": True, **column}
    verdict = judge({"value": kind}, {"value": values}, timezone=timezone)
    found = dict(zip(verdict.accepted["_record"].to_pylist(), verdict.accepted["value"].to_pylist(), strict=True))
    refused = set(verdict.rejected["record"].to_pylist())
    assert found.keys() | refused == set(range(1, len(values) + 1))
    assert not found.keys() & refused
    return [found.get(record, REFUSED if record in refused else None) for record in range(1, len(values) + 1)]


def differences(texts: Sequence[Any], found: Sequence[Any], expected: Sequence[Any]) -> dict[Any, Any]:
    """What was read otherwise than expected: text → (read, expected). NaN equals NaN, 1 is not True."""
    return {
        text: (got, want)
        for text, got, want in zip(texts, found, expected, strict=True)
        if (repr(got) != repr(want) and got != want) or type(got) is not type(want)
    }


def reasons(columns: Mapping[str, Any], fields: Mapping[str, Any], **how: Any) -> dict[int, list[str]]:
    """Record number → its reasons."""
    rejected = judge(columns, fields, **how).rejected
    return dict(zip(rejected["record"].to_pylist(), rejected["reasons"].to_pylist(), strict=True))
