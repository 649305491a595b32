"""What Redshift refuses although Postgres would run it, and what it takes note of without enforcing it."""

from __future__ import annotations

import pytest

from tests.integration.local_aws.redshift.data_api import Redshift

UNSUPPORTED = {
    # "INSERT": the syntax has neither
    "on conflict": ("INSERT INTO {s}.t VALUES (1) ON CONFLICT DO NOTHING", 'syntax error at or near "ON"'),
    "returning": ("INSERT INTO {s}.t VALUES (1) RETURNING id", 'syntax error at or near "RETURNING"'),
    # "SELECT list": DISTINCT only; "Aggregate functions": no FILTER
    "distinct on": ("SELECT DISTINCT ON (id) id FROM {s}.t", "DISTINCT ON is not supported"),
    "filter": ("SELECT COUNT(*) FILTER (WHERE id > 1) FROM {s}.t", "syntax error"),
    # "Reserved words"
    "reserved word": ("SELECT 1 AS timestamp", 'syntax error at or near "timestamp"'),
    "reserved alias": ("SELECT new.id FROM {s}.t AS new", 'syntax error at or near "new"'),
    # "Unsupported PostgreSQL features"
    "index": ("CREATE INDEX i ON {s}.t (id)", 'SQL command "CREATE INDEX" not supported on Redshift tables.'),
    "check": ("CREATE TABLE {s}.u (id INT CHECK (id > 1))", 'syntax error at or near "CHECK"'),
    # "Unsupported PostgreSQL data types"
    "serial": ("CREATE TABLE {s}.u (id SERIAL)", 'unsupported type "serial"'),
    "array": ("CREATE TABLE {s}.u (v TEXT[])", 'Column "u.v" has unsupported type "text[]".'),
    "jsonb": ("CREATE TABLE {s}.u (v JSONB)", 'unsupported type "jsonb"'),
    "bytea": ("CREATE TABLE {s}.u (v BYTEA)", 'unsupported type "bytea"'),
    "uuid": ("CREATE TABLE {s}.u (v UUID)", 'unsupported type "uuid"'),
    "cast": ("SELECT CAST(id AS UUID) FROM {s}.t", 'unsupported type "uuid"'),
    # "Character types"
    "varchar": ("CREATE TABLE {s}.u (v VARCHAR(65536))", "length for type varchar cannot exceed 65535"),
    # "Unsupported PostgreSQL functions"
    "string_agg": ("SELECT STRING_AGG('a', ',')", "function string_agg() does not exist"),
    "advisory lock": ("SELECT pg_advisory_lock(1)", "function pg_advisory_lock() does not exist"),
    # "LOCK", "DELETE", "MERGE", "ALTER TABLE"
    "lock mode": ("LOCK TABLE {s}.t IN SHARE MODE", 'syntax error at or near "IN"'),
    "delete alias": ("DELETE FROM {s}.t AS x USING {s}.t AS y WHERE x.id = y.id", 'syntax error at or near "x"'),
    "merge": ("MERGE INTO {s}.t USING {s}.t AS n ON t.id = n.id WHEN MATCHED THEN DELETE", "MERGE must have"),
    "required": ("ALTER TABLE {s}.t ADD COLUMN v INT NOT NULL", "must have a non-null default"),
    "two columns": ("ALTER TABLE {s}.t ADD COLUMN v INT, ADD COLUMN w INT", "syntax error"),
    "type change": ("ALTER TABLE {s}.t ALTER COLUMN id TYPE BIGINT", "cannot alter column"),
    # "Distribution styles", "CREATE TABLE"
    "distkey": ("CREATE TABLE {s}.u (id INT) DISTKEY (nowhere)", "does not exist"),
    "sortkey": ("CREATE TABLE {s}.u (id INT) SORTKEY (id, nowhere)", "does not exist"),
    "two distkeys": ("CREATE TABLE {s}.u (id INT DISTKEY, v INT DISTKEY)", "multiple distribution keys"),
    "even distkey": ("CREATE TABLE {s}.u (id INT) DISTSTYLE EVEN DISTKEY (id)", "DISTSTYLE"),
    # what is here and answers otherwise there is refused, too
    "average": ("SELECT AVG(id) FROM {s}.t", "Redshift cuts to one"),
    "unknown": ("VACUUM {s}.t", "The embedded Redshift does not run VACUUM"),
}  # fmt: skip


@pytest.mark.parametrize("sql, told", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_redshift_lacks_is_refused(redshift: Redshift, sql: str, told: str) -> None:
    """ "Amazon Redshift and PostgreSQL", and the page of each command, as noted beside each case."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    assert told in redshift.error(sql)


def test_keys_are_accepted_and_not_enforced(redshift: Redshift) -> None:
    """ "Defining constraints": uniqueness, primary key, and foreign key constraints are informational only and aren't enforced."""
    redshift.run("CREATE TABLE {s}.parents (id INT PRIMARY KEY)")
    redshift.run(
        "CREATE TABLE {s}.t (id INT, p INT, u INT UNIQUE, PRIMARY KEY (id), UNIQUE (p), "
        "FOREIGN KEY (p) REFERENCES {s}.parents (id))"
    )
    redshift.run("INSERT INTO {s}.t VALUES (1, 2, 3), (1, 2, 3)")
    assert redshift.rows("SELECT COUNT(*) FROM {s}.t") == [(2,)]


def test_a_column_of_the_primary_key_is_not_null(redshift: Redshift) -> None:
    """ "Defining constraints": Amazon Redshift enforces NOT NULL; "CREATE TABLE": a primary key column can't be null."""
    redshift.run("CREATE TABLE {s}.t (id INT, PRIMARY KEY (id))")
    told = redshift.error("INSERT INTO {s}.t VALUES (NULL)")
    assert "Cannot insert a NULL value into column id" in told


@pytest.mark.parametrize(
    "make",
    [
        "CREATE TABLE {s}.t (v VARCHAR(5))",
        "CREATE TABLE {s}.t (LIKE {s}.model)",
        "ALTER TABLE {s}.model RENAME TO t",
    ],
    ids=["create", "like", "added"],
)
def test_varchar_counts_bytes(redshift: Redshift, make: str) -> None:
    """ "Character types": a VARCHAR(120) column can hold up to 120 single-byte characters, or 60 two-byte characters."""
    redshift.run("CREATE TABLE {s}.model (id INT)")
    redshift.run("ALTER TABLE {s}.model ADD COLUMN v VARCHAR(5)")
    redshift.run("ALTER TABLE {s}.model DROP COLUMN id")
    redshift.run(make)
    redshift.run("INSERT INTO {s}.t VALUES ('éé')")
    told = redshift.error("INSERT INTO {s}.t VALUES ('ééé')")
    assert "Value too long for character type" in told
    assert "code:      8001" in told
    assert "character varying(5)" in told


def test_text_without_a_size_is_varchar_256(redshift: Redshift) -> None:
    """ "Character types": TEXT is converted to VARCHAR(256); "Numeric types": DECIMAL is DECIMAL(18, 0)."""
    redshift.run("CREATE TABLE {s}.t (a TEXT, b VARCHAR, c VARCHAR(MAX), d DECIMAL)")
    assert redshift.rows(
        "SELECT column_name, data_type, character_maximum_length, numeric_precision FROM svv_columns "
        f"WHERE table_schema = '{redshift.schema}' ORDER BY ordinal_position"
    ) == [
        ("a", "character varying", 256, None),
        ("b", "character varying", 256, None),
        ("c", "character varying", 65535, None),
        ("d", "numeric", None, 18),
    ]


@pytest.mark.parametrize("column", ["v VARCHAR(2) PRIMARY KEY", "v VARCHAR(2) UNIQUE", "v VARCHAR(2) DEFAULT 'x'"])
def test_a_column_with_a_key_or_a_default_cannot_be_widened(redshift: Redshift, column: str) -> None:
    """ "ALTER TABLE": you can't alter columns with UNIQUE, PRIMARY KEY, or FOREIGN KEY, nor columns with default values."""
    redshift.run(f"CREATE TABLE {{s}}.t ({column})")
    assert "with a key or a default" in redshift.error("ALTER TABLE {s}.t ALTER COLUMN v TYPE VARCHAR(4)")


def test_names_are_in_lower_case(redshift: Redshift) -> None:
    """ "Names and identifiers": identifiers are case-insensitive and are folded to lowercase, quoted or not."""
    redshift.run('CREATE TABLE {s}."Mixed" ("Id" INT)')
    told = redshift.run('SELECT "ID" AS "Day" FROM {s}.MIXED')
    assert redshift.api.get_statement_result(Id=told["Id"])["ColumnMetadata"][0]["name"] == "day"


def test_a_backslash_escapes(redshift: Redshift) -> None:
    """ "Literals" and Redshift's own parser, which is that of PostgreSQL 8.0: a backslash in a text is an escape."""
    assert redshift.rows(r"SELECT 'a\\b', 'it\'s'") == [("a\\b", "it's")]


def test_a_text_that_is_no_integer_is_named_in_the_context(redshift: Redshift) -> None:
    """ "Load error reference", 1207: the data contains a value outside of the expected range (0–9)."""
    redshift.run(["CREATE TABLE {s}.t (id INT)", "INSERT INTO {s}.t VALUES (1)"])
    told = redshift.error("SELECT CAST(CASE WHEN COUNT(*) = 0 THEN '0' ELSE 'no: loaded' END AS INT) FROM {s}.t")
    assert told.startswith("ERROR: Invalid digit, Value 'n', Pos 0, Type: Integer")
    assert "context:   no: loaded\n" in told
