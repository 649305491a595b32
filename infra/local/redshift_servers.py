"""The Postgres servers behind the embedded Redshift: one for each warehouse, since users and roles belong to a warehouse as a whole.

Started with a warehouse's first statement, in a temporary folder, and stopped with the embedded AWS.
"""

from __future__ import annotations

import secrets
import tempfile
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra.local import redshift_catalog
from infra.local.redshift_errors import RedshiftError
from infra.local.redshift_warehouses import Login, Warehouse
from jobs.runtime.embedded_postgres import EmbeddedPostgres, running_postgres


class Server:
    """One warehouse. `administration` is a superuser's session for what Redshift does by itself; take `lock` around its use."""

    def __init__(self, postgres: EmbeddedPostgres, database: str) -> None:
        self._url = postgres.url(database)
        self._passwords: dict[str, str] = {}
        self._roles: dict[str, tuple[str, ...]] = {}
        self.lock = Lock()
        self.administration = psycopg.connect(self._url, autocommit=True)
        redshift_catalog.install(self.administration)

    def connect(self, warehouse: Warehouse, login: Login) -> psycopg.Connection:
        """A session of the user, whose rights Postgres itself checks.

        Raises:
            RedshiftError: wrong user or password.
        """
        with self.lock:
            if warehouse.admin_password:
                self._make_user(warehouse.admin, warehouse.admin_password, sql.SQL("SUPERUSER"))
            password = login.password if login.password is not None else self._temporary_password(login)
        try:
            return psycopg.connect(make_conninfo(self._url, user=login.user, password=password), autocommit=True)
        except psycopg.OperationalError as error:
            raise RedshiftError(f'password authentication failed for user "{login.user}"') from error

    def _temporary_password(self, login: Login) -> str:
        """Makes the user at the first login, and gives it exactly the roles of its tag; one that does not exist is passed over."""
        password = self._passwords.setdefault(login.user, secrets.token_urlsafe(24))
        self._make_user(login.user, password, sql.SQL("NOSUPERUSER"))
        user = sql.Identifier(login.user)
        for role in set(self._roles.get(login.user, ())) - set(login.roles):
            self.administration.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(role), user))
        self._roles[login.user] = tuple(role for role in login.roles if self._exists(role))
        for role in self._roles[login.user]:
            self.administration.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), user))
        return password

    def _make_user(self, name: str, password: str, rank: sql.SQL) -> None:
        verb = sql.SQL("ALTER" if self._exists(name) else "CREATE")
        statement = sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}")
        self.administration.execute(statement.format(verb, sql.Identifier(name), rank, sql.Literal(password)))

    def _exists(self, role: str) -> bool:
        return self.administration.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


class Servers:
    """All warehouses of the account."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._servers: dict[str, Server] = {}
        self._lock = Lock()
        self._is_closed = False

    def of(self, warehouse: Warehouse) -> Server:
        with self._lock:
            if self._is_closed:
                raise RedshiftError("the system is shutting down")
            if warehouse.key not in self._servers:
                folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="redshift-"))
                postgres = self._running.enter_context(running_postgres(Path(folder)))
                server = Server(postgres, warehouse.database)
                self._running.callback(server.administration.close)
                self._servers[warehouse.key] = server
            return self._servers[warehouse.key]

    def close(self) -> None:
        """Ends every session that is still open."""
        with self._lock:
            self._is_closed = True
            self._running.close()
