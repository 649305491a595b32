"""What Redshift refuses, as the errors that say what to do. Text is all that the Data API tells: no code, no SQLSTATE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobs.errors import ConfigError, CredentialsError, LoadRefusedError, TidemarkError, WarehouseUnavailableError
from jobs.warehouse.redshift_data_api import FailedStatementError

_PARTICULARS = re.compile(r"^\s*(?:context|Detail):[ \t]*(\S.*?)\s*$", re.MULTILINE)
_PREFIX = re.compile(r"^(Query #\d+ failed with )?((ERROR|FATAL): +)?")
_ERROR_ID = re.compile(r"\s*\[ErrorId: [^\]]*\]\s*$")
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')
_MISSING = re.compile(r"(relation|schema|table) .*does not exist", re.IGNORECASE)

# Developer guide: "Troubleshooting queries" (1016), "CREATE SCHEMA" (quota), "Quotas and limits" (tables in a cluster).
_FULL = ("disk full", "disk space quota", "tables exceeds", "maximum number of tables", "could not extend")
_NO_ROLE = (
    "not associated to cluster",
    "Not authorized to get credentials of role",
    "not authorized to assume IAM Role",
)
_NO_RIGHT = ("permission denied", "must be owner", "must be the owner")
_NO_READING = ("Access Denied", "AccessDenied", "Forbidden")
_GONE = (
    "terminating connection",
    "shutting down",
    "is paused",
    "could not connect",
    "connection timed out",
    "cancelled",
)


@dataclass(frozen=True)
class LoadErrorDetail:
    """A row of SYS_LOAD_ERROR_DETAIL; `column` is empty where the whole file was refused."""

    file: str
    column: str
    message: str

    @property
    def place(self) -> str:
        return f"column {self.column!r} of {self.file}" if self.column else self.file


@contextmanager
def redshift_errors(doing: str, place: str) -> Iterator[None]:
    """Explains a statement that failed."""
    try:
        yield
    except FailedStatementError as error:
        raise explained(doing, place, error) from error


def is_missing_table(error: FailedStatementError) -> bool:
    return bool(_MISSING.search(str(error)))


def told(error: FailedStatementError) -> str:
    """What it says in one line: the error, and its context or detail, which has the particulars."""
    text = _ERROR_ID.sub("", str(error))
    first = _PREFIX.sub("", text).strip().splitlines()[0].strip()
    particulars = _PARTICULARS.search(text)
    return f"{first}: {particulars[1]}" if particulars else first


def explained(
    doing: str, place: str, error: FailedStatementError, detail: LoadErrorDetail | None = None
) -> TidemarkError:
    """By the words that Redshift uses for it; `detail`: what its system view keeps of a COPY."""
    text, line = str(error), told(error)
    if any(words in text for words in _NO_ROLE):
        return CredentialsError(
            f"{doing}: expected {place} to have the role that COPY names, got {line!r}. Attach the role to it, or correct "
            "copy_role in the environment's file; then run the same command again."
        )
    if any(words in text for words in _NO_RIGHT) or "authentication failed" in text:
        return CredentialsError(
            f"{doing}: expected the right to do so in {place}, got {line!r}. Give the caller's IAM role the tag "
            "RedshiftDbRoles = tidemark_loader, or let the owner of the schema do it; then run the same command again."
        )
    if any(words in text for words in _NO_READING):
        return CredentialsError(
            f"{doing}: expected the copy role of {place} to read the exported files, got {line!r}. Let it read export/ of the "
            "lake's bucket and use the bucket's key; then run the same command again."
        )
    if any(words in text.lower() for words in _FULL):
        return WarehouseUnavailableError(
            f"{doing}: expected room in {place}, got {line!r}. Free or add space, or raise the schema's quota; then run the same "
            "command again. Nothing of the batch was loaded."
        )
    if any(words in text for words in _GONE) or error.is_conflict:
        return WarehouseUnavailableError(
            f"{doing}: expected {place} to finish it, got {line!r}. "
            "Run the same command again; what is curated stays, and nothing is loaded twice."
        )
    if _NO_DATABASE.search(text):
        return ConfigError(
            f"{doing}: expected the environment's database in {place}, got {line!r}. Correct it in the environment's file."
        )
    got = f"{detail.message!r} in {detail.place}" if detail else repr(line)
    return LoadRefusedError(
        f"{doing}: expected {place} to accept the rows, got {got}. "
        "Correct the contract, or the table or file that it names; nothing of the batch was loaded."
    )
