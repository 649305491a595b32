"""Redshift's system views in the embedded Postgres, and the log that they show. Only the columns that a loader reads.

Developer guide: "SVV_ROLES", "SVV_TABLES", "SVV_COLUMNS", "SYS_QUERY_HISTORY", "SYS_LOAD_ERROR_DETAIL", "Visibility of data in
system tables and views".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from infra.local.redshift_errors import LoadError, RedshiftError

_VISIBLE = """user_id = (SELECT oid FROM pg_roles WHERE rolname = current_user)::int
    OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"""

# In pg_catalog, where every query finds them without a schema, as in Redshift. The log's own tables nobody else may read.
_INSTALL = f"""
SET allow_system_table_mods = on;
GRANT CREATE ON SCHEMA public TO PUBLIC;

CREATE TABLE pg_catalog.embedded_query_history (
    user_id int, query_id bigint, transaction_id bigint, session_id int, database_name varchar(128), query_type varchar(32),
    status varchar(10), start_time timestamp, end_time timestamp, elapsed_time bigint, error_message varchar(512),
    returned_rows bigint, query_text varchar(4000));
CREATE TABLE pg_catalog.embedded_load_error_detail (
    user_id int, query_id bigint, transaction_id bigint, session_id int, database_name varchar(64), table_id int,
    start_time timestamp, file_name varchar(256), line_number bigint, column_name varchar(127), column_type varchar(10),
    column_length varchar(10), "position" int, error_code int, error_message varchar(512));
REVOKE ALL ON pg_catalog.embedded_query_history, pg_catalog.embedded_load_error_detail FROM PUBLIC;

CREATE VIEW pg_catalog.sys_query_history AS SELECT * FROM embedded_query_history WHERE {_VISIBLE};
CREATE VIEW pg_catalog.sys_load_error_detail AS SELECT * FROM embedded_load_error_detail WHERE {_VISIBLE};
CREATE VIEW pg_catalog.svv_roles AS
    SELECT oid::int AS role_id, rolname::varchar(128) AS role_name, NULL::varchar(128) AS role_owner
    FROM pg_roles WHERE NOT rolcanlogin AND rolname !~ '^pg_';
CREATE VIEW pg_catalog.svv_tables AS
    SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables
    WHERE table_name !~ '^embedded_';
CREATE VIEW pg_catalog.svv_columns AS
    SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable, data_type,
        character_maximum_length, numeric_precision, numeric_scale, datetime_precision
    FROM information_schema.columns WHERE table_name !~ '^embedded_';
GRANT SELECT ON pg_catalog.sys_query_history, pg_catalog.sys_load_error_detail, pg_catalog.svv_roles, pg_catalog.svv_tables,
    pg_catalog.svv_columns TO PUBLIC;
RESET allow_system_table_mods;
"""


def install(connection: psycopg.Connection) -> None:
    """Once for each database, by its superuser."""
    connection.execute(sql.SQL(_INSTALL))


@dataclass(frozen=True)
class Run:
    """One statement's run, by the numbers that Redshift's views name it with. `session` is the process of its session."""

    user: str
    query: int
    transaction: int
    session: int
    started: datetime

    def named(self) -> list[object]:
        return [self.query, self.transaction, self.session]


def log_query(
    connection: psycopg.Connection, run: Run, kind: str, status: str, ended: datetime, rows: int, error: str, text: str
) -> None:
    connection.execute(
        "INSERT INTO pg_catalog.embedded_query_history SELECT r.oid::int, %s, %s, %s, current_database(), %s, %s, %s, %s, %s, "
        "left(%s, 512), %s, left(%s, 4000) FROM pg_roles r WHERE r.rolname = %s",
        [
            *run.named(),
            *[kind, status, run.started.replace(tzinfo=None), ended.replace(tzinfo=None)],
            *[int((ended - run.started).total_seconds() * 1_000_000), error, rows, text, run.user],
        ],
    )


def log_load_error(connection: psycopg.Connection, run: Run, table: str, load: LoadError, error: RedshiftError) -> None:
    """The message is what the error's block of details calls its context, which has the particulars."""
    connection.execute(
        "INSERT INTO pg_catalog.embedded_load_error_detail SELECT r.oid::int, %s, %s, %s, current_database(), %s, %s, "
        "left(%s, 256), 0, %s, left(%s, 10), %s, 0, %s, left(%s, 512) FROM pg_roles r WHERE r.rolname = %s",
        [
            *run.named(),
            *[table_id(connection, table), run.started.replace(tzinfo=None)],
            *[
                load.file,
                load.column,
                load.column_type,
                load.column_length,
                error.code,
                error.context or str(error),
                run.user,
            ],
        ],
    )


def table_id(connection: psycopg.Connection, table: str) -> int:
    """0 for a table that is not there any more, or was never seen outside its transaction."""
    found = connection.execute("SELECT coalesce(to_regclass(%s)::oid::bigint, 0)", [table]).fetchone()
    return int(found[0]) if found else 0
