"""What goes wrong between Tidemark and the warehouse's Postgres, as the errors that say what to do. No password in any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from jobs.errors import CredentialsError, LoadRefusedError, TidemarkError, WarehouseUnavailableError

_LOGIN_REFUSED = ("authentication failed", "no password supplied", "no pg_hba.conf entry", "does not exist")


@contextmanager
def warehouse_errors(doing: str, where: str, *passing: type[psycopg.Error]) -> Iterator[None]:
    """Explains every error of the database but those of the classes `passing`, which the caller handles."""
    try:
        yield
    except passing:
        raise
    except psycopg.Error as error:
        raise explained(doing, where, str(error), error.sqlstate) from error


def login_error(where: str, user: str, error: psycopg.Error) -> TidemarkError:
    """A connection that failed has no SQLSTATE: the text tells a refused login from a server that is not there."""
    text = str(error)
    if any(refused in text for refused in _LOGIN_REFUSED):
        return CredentialsError(
            f"Connecting to the warehouse at {where}: expected it to let user {user!r} in, got {_last_line(text)!r}. "
            "Correct user, password and database in TIDEMARK_WAREHOUSE_URL."
        )
    return explained("Connecting to the warehouse", where, text, None)


def explained(doing: str, where: str, text: str, sqlstate: str | None) -> TidemarkError:
    """By class of SQLSTATE; without one it was the connection."""
    state = sqlstate or ""
    if state == "55P03":
        return WarehouseUnavailableError(
            f"{doing}: expected to get the lock, got none in time at {where}. Another load or a long query holds it; "
            "wait for that or end it, then run the same command again."
        )
    if state == "42501":
        return CredentialsError(
            f"{doing}: expected the right to do so at {where}, got {_first_line(text)!r}. "
            "Grant it to the user of TIDEMARK_WAREHOUSE_URL: it creates schemas and tables, and owns them."
        )
    if state.startswith(("08", "53", "57", "58")) or state in ("", "25P03"):
        return WarehouseUnavailableError(
            f"{doing}: expected the warehouse at {where} to answer, got {_first_line(text)!r}. "
            "Run the same command again when it does; what is curated stays, and nothing is loaded twice."
        )
    return LoadRefusedError(
        f"{doing}: expected the warehouse at {where} to accept the rows, got {_first_line(text)!r}. "
        "Correct the contract or the warehouse table that it names; nothing of the batch was loaded."
    )


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason"


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1].strip() if text.strip() else "no reason"
