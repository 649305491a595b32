"""DDL for the local warehouse, from the contract and from what is there."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.config.pipeline import Table
from jobs.errors import LoadRefusedError
from jobs.warehouse.postgres_tables import ExistingColumn, table_changes

BATCH = ExistingColumn("bigint", not_null=True)
ID = ExistingColumn("bigint", not_null=True)


def contract(columns: dict[str, Any]) -> Table:
    return Table.model_validate({"from": "f", "key": ["id"], "columns": columns, "load": {"mode": "insert"}})


def test_every_type_of_a_contract_has_a_column() -> None:
    columns = {
        "id": "bigint",
        "a": "boolean",
        "b": "smallint",
        "c": "int",
        "d": "double",
        "e": "date",
        "f": "timestamp",
        "g": {"type": "text", "nullable": True},
        "h": "varchar(40)",
        "i": "numeric(10,2)",
    }

    assert table_changes("shop", "t", contract(columns), None) == [
        'CREATE TABLE "shop"."t" ("id" bigint NOT NULL, "a" boolean NOT NULL, "b" smallint NOT NULL, "c" integer NOT NULL, '
        '"d" double precision NOT NULL, "e" date NOT NULL, "f" timestamp without time zone NOT NULL, "g" text, '
        '"h" character varying(40) NOT NULL, "i" numeric(10,2) NOT NULL, "_batch" bigint NOT NULL)'
    ]


def test_a_table_that_fits_is_left_alone() -> None:
    assert table_changes("shop", "t", contract({"id": "bigint"}), {"id": ID, "_batch": BATCH}) == []


def test_a_new_column_is_added_and_may_be_null_in_older_rows() -> None:
    changes = table_changes("shop", "t", contract({"id": "bigint", "score": "int"}), {"id": ID, "_batch": BATCH})

    assert changes == ['ALTER TABLE "shop"."t" ADD COLUMN "score" integer']


def test_a_column_that_the_contract_gave_up_stays_and_need_not_be_filled() -> None:
    there = {"id": ID, "gone": ExistingColumn("text", not_null=True), "_batch": BATCH}

    changes = table_changes("shop", "t", contract({"id": "bigint"}), there)

    assert changes == ['ALTER TABLE "shop"."t" ALTER COLUMN "gone" DROP NOT NULL']


def test_a_column_that_became_nullable_takes_nulls() -> None:
    columns = {"id": "bigint", "title": {"type": "text", "nullable": True}}
    there = {"id": ID, "title": ExistingColumn("text", not_null=True), "_batch": BATCH}

    changes = table_changes("shop", "t", contract(columns), there)

    assert changes == ['ALTER TABLE "shop"."t" ALTER COLUMN "title" DROP NOT NULL']


def test_a_changed_type_is_refused_with_the_statement_that_changes_it() -> None:
    there = {"id": ExistingColumn("integer", not_null=True), "_batch": BATCH}

    with pytest.raises(LoadRefusedError) as refused:
        table_changes("shop", "t", contract({"id": "bigint"}), there)

    assert str(refused.value) == (
        "Loading shop.t: expected column 'id' to be bigint as in the contract, got integer. "
        'Run `ALTER TABLE "shop"."t" ALTER COLUMN "id" TYPE bigint` in the warehouse, then run the pipeline again.'
    )
