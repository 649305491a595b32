"""DDL for the local warehouse, from the contract and from what is there."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.config.table import Table
from jobs.errors import LoadRefusedError
from jobs.warehouse.postgres_tables import ExistingColumn, ExistingTable, table_changes

BATCH = ExistingColumn("bigint", not_null=True)
ID = ExistingColumn("bigint", not_null=True)
TIME = ExistingColumn("timestamp without time zone", not_null=True)
SOFT = {"mode": "upsert", "newest_by": ["at"], "deletes": {"reconcile": "soft"}}
HISTORY = {"mode": "history", "newest_by": ["at"]}


def contract(columns: dict[str, Any], load: dict[str, Any] | None = None) -> Table:
    return Table.model_validate(
        {"from": "f", "key": ["id"], "columns": columns, "load": load or {"mode": "replace", "min_rows": 0}}
    )


def there(index: tuple[str, ...] = (), **columns: ExistingColumn) -> ExistingTable:
    return ExistingTable({"id": ID} | columns | {"_batch": BATCH}, index)


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
    assert table_changes("shop", "t", contract({"id": "bigint"}), there()) == []


def test_a_new_column_is_added_and_may_be_null_in_older_rows() -> None:
    changes = table_changes("shop", "t", contract({"id": "bigint", "score": "int"}), there())

    assert changes == ['ALTER TABLE "shop"."t" ADD COLUMN "score" integer']


def test_a_column_that_the_contract_gave_up_stays_and_need_not_be_filled() -> None:
    changes = table_changes("shop", "t", contract({"id": "bigint"}), there(gone=ExistingColumn("text", not_null=True)))

    assert changes == ['ALTER TABLE "shop"."t" ALTER COLUMN "gone" DROP NOT NULL']


def test_a_column_that_became_nullable_takes_nulls() -> None:
    columns = {"id": "bigint", "title": {"type": "text", "nullable": True}}

    changes = table_changes("shop", "t", contract(columns), there(title=ExistingColumn("text", not_null=True)))

    assert changes == ['ALTER TABLE "shop"."t" ALTER COLUMN "title" DROP NOT NULL']


def test_a_changed_type_is_refused_with_the_statement_that_changes_it() -> None:
    with pytest.raises(LoadRefusedError) as refused:
        table_changes("shop", "t", contract({"id": "bigint"}), there(id=ExistingColumn("integer", not_null=True)))

    assert str(refused.value) == (
        "Loading shop.t: expected column 'id' to be bigint as in the contract, got integer. "
        'Run `ALTER TABLE "shop"."t" ALTER COLUMN "id" TYPE bigint` in the warehouse, then run the pipeline again.'
    )


def test_the_columns_of_a_mode_follow_the_contract_s() -> None:
    at = {"id": "bigint", "at": "timestamp"}

    history, soft = (table_changes("shop", "t", contract(at, load), None)[0] for load in (HISTORY, SOFT))

    assert history == (
        'CREATE TABLE "shop"."t" ("id" bigint NOT NULL, "at" timestamp without time zone NOT NULL, '
        '"valid_from" timestamp without time zone NOT NULL, "valid_to" timestamp without time zone, '
        '"is_current" boolean NOT NULL, "_batch" bigint NOT NULL)'
    )
    assert soft == (
        'CREATE TABLE "shop"."t" ("id" bigint NOT NULL, "at" timestamp without time zone NOT NULL, '
        '"_deleted_at" timestamp without time zone, "_batch" bigint NOT NULL)'
    )


@pytest.mark.parametrize(
    ("load", "identity"),
    [
        ({"mode": "replace"}, None),
        ({"mode": "append"}, None),
        ({"mode": "insert"}, '"id"'),
        (SOFT, '"id"'),
        (HISTORY, '"id", "valid_from"'),
        ({"mode": "recompute"}, '"id"'),
    ],
)
def test_a_table_whose_rows_are_looked_up_has_an_index_on_their_identity(
    load: dict[str, Any], identity: str | None
) -> None:
    changes = table_changes("shop", "t", contract({"id": "bigint", "at": "timestamp"}, load), None)

    index = f'CREATE UNIQUE INDEX "tidemark_identity_t_e3b98a4d" ON "shop"."t" ({identity})'
    assert changes[1:] == ([] if identity is None else [index])


def test_an_older_table_gets_the_index() -> None:
    changes = table_changes("shop", "t", contract({"id": "bigint"}, {"mode": "insert"}), there())

    assert [change.split(" (")[0] for change in changes] == [
        'CREATE UNIQUE INDEX "tidemark_identity_t_e3b98a4d" ON "shop"."t"'
    ]


def test_a_table_that_has_its_index_is_left_alone() -> None:
    assert table_changes("shop", "t", contract({"id": "bigint"}, {"mode": "insert"}), there(index=("id",))) == []


def test_a_table_that_becomes_a_history_gains_columns_and_another_index() -> None:
    history = contract({"id": "bigint", "at": "timestamp"}, HISTORY)

    assert table_changes("shop", "t", history, there(index=("id",), at=TIME)) == [
        'DROP INDEX "shop"."tidemark_identity_t_e3b98a4d"',
        'ALTER TABLE "shop"."t" ADD COLUMN "valid_from" timestamp without time zone',
        'ALTER TABLE "shop"."t" ADD COLUMN "valid_to" timestamp without time zone',
        'ALTER TABLE "shop"."t" ADD COLUMN "is_current" boolean',
        'CREATE UNIQUE INDEX "tidemark_identity_t_e3b98a4d" ON "shop"."t" ("id", "valid_from")',
    ]


def test_a_table_that_is_replaced_from_now_on_may_hold_a_key_twice() -> None:
    changes = table_changes("shop", "t", contract({"id": "bigint"}), there(index=("id",)))

    assert changes == ['DROP INDEX "shop"."tidemark_identity_t_e3b98a4d"']


def test_two_tables_with_long_names_have_indexes_of_their_own() -> None:
    insert = contract({"id": "bigint"}, {"mode": "insert"})

    indexes = [
        change.split('"')[1]
        for name in ("t" * 62 + "a", "t" * 62 + "b")
        for change in table_changes("shop", name, insert, there())
    ]

    assert len(set(indexes)) == 2
    assert max(len(index) for index in indexes) <= 63
