"""What Redshift tells when a statement fails, in the words and the layout that its clients get through the Data API.

Texts with a source: the Redshift developer guide, "Load error reference" and "Troubleshooting serializable isolation errors"; where
the guide shows none, the texts that users quote in public issue trackers. Text is all that a client of the Data API has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import uuid4

import psycopg

_RULE = "-----------------------------------------------"
_NOT_AN_INTEGER = re.compile(r'invalid input syntax for type (?:smallint|integer|bigint): "(.*)"', re.DOTALL)


@dataclass(frozen=True)
class LoadError:
    """The row of SYS_LOAD_ERROR_DETAIL that a failed COPY leaves, as far as COPY knows it."""

    file: str = ""
    column: str = ""
    column_type: str = ""
    column_length: str = ""


class RedshiftError(Exception):
    """A refused or failed statement. With a code it has the block of details that Redshift's engine adds."""

    def __init__(
        self,
        message: str,
        code: int = 0,
        context: str = "",
        location: str = "",
        process: str = "padbmaster",
        load: LoadError | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.context = context
        self.load = load
        self._location = location
        self._process = process

    def told(self, query: int, pid: int) -> str:
        """The text as the Data API gives it, which ends with an id for AWS's support."""
        lines = [f"ERROR: {self}"]
        if self.code == 1023:
            lines.append(f"  Detail: {self.context}")
        elif self.code:
            lines += [
                "  Detail: ",
                f"  {_RULE}",
                f"  error:  {self}",
                f"  code:      {self.code}",
                f"  context:   {self.context}",
                f"  query:     {query}",
                f"  location:  {self._location}",
                f"  process:   {self._process} [pid={pid}]",
                f"  {_RULE}",
            ]
        return "\n".join(lines) + f" [ErrorId: 1-{uuid4()}]"


def spectrum_error(context: str, code: int = 15007, load: LoadError | None = None) -> RedshiftError:
    """A file that COPY's scan of Parquet refuses."""
    return RedshiftError("Spectrum Scan Error", code, context, "dory_util.cpp:1777", "worker_thread", load)


def syntax_error(near: str) -> RedshiftError:
    return RedshiftError(f'syntax error at or near "{near}"')


def from_postgres(error: psycopg.Error, reads_tables: bool, table_id: int, transaction: int, pid: int) -> RedshiftError:
    """Redshift's error where it words one otherwise than Postgres; Postgres's own text for the rest, which both have from 8.0."""
    message = error.diag.message_primary or str(error).strip()
    match error:
        case psycopg.errors.SerializationFailure():
            told = (
                f"Serializable isolation violation on table - {table_id}, "
                f"transactions forming the cycle are: {transaction}, {transaction - 1} (pid:{pid})"
            )
            return RedshiftError("1023", 1023, told)
        case psycopg.errors.InvalidTextRepresentation() if found := _NOT_AN_INTEGER.search(message):
            return _not_an_integer(found.group(1), reads_tables)
        case psycopg.errors.UniqueViolation():  # of Postgres's catalogue, as nothing else is unique here
            return RedshiftError("could not complete because of conflict with concurrent transaction")
        case psycopg.errors.NotNullViolation():
            told = f"Cannot insert a NULL value into column {error.diag.column_name}"
            return RedshiftError(told, 8007, "", "query_execution.cpp:0", "query0")
        case psycopg.errors.StringDataRightTruncation():
            told = f"Value too long for type {message.rpartition('for type ')[2]}"
            return RedshiftError("Value too long for character type", 8001, told, "string.cpp:175", "query0")
        case psycopg.errors.CheckViolation():  # ours: the one check that the embedded tables have counts bytes
            size = (error.diag.constraint_name or "").split("_")[1]
            told = f"Value too long for type character varying({size})"
            return RedshiftError("Value too long for character type", 8001, told, "string.cpp:175", "query0")
    return RedshiftError(message)


def _not_an_integer(value: str, reads_tables: bool) -> RedshiftError:
    """A query over tables fails on the compute nodes, with another text than one without tables on the leader node."""
    if not reads_tables:
        return RedshiftError(f'invalid input syntax for integer: "{value}"')
    position = next((i for i, character in enumerate(value) if not character.isdigit()), 0)
    shown = value[position : position + 1]
    return RedshiftError(f"Invalid digit, Value '{shown}', Pos {position}, Type: Integer ", 1207, value, ":0", "query0")
