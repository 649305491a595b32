"""The COPY command, as far as Parquet by manifest goes (developer guide, "COPY from columnar data formats")."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from infra.local.redshift_errors import RedshiftError, syntax_error


@dataclass(frozen=True)
class CopyCommand:
    """`table` is quoted, with its schema if one was written."""

    table: str
    source: str
    iam_role: str

    @property
    def table_name(self) -> str:
        return self.table.rpartition(".")[2].strip('"')


def parse_copy(tokens: list[Token]) -> CopyCommand:
    """Raises RedshiftError: an option that columnar formats do not have, or a form that the embedded Redshift does not run."""
    rest = tokens[1:]
    table = _table(rest)
    if rest and rest[0].token_type is TokenType.L_PAREN:
        raise RedshiftError("Column mapping option argument is not supported for PARQUET based COPY")
    _expect(rest, "FROM")
    source, options = _text(rest), dict[str, str]()
    while rest:
        _read_option(rest, options)
    for option in ("FORMAT", "MANIFEST", "IAM_ROLE"):
        if option not in options:
            raise RedshiftError(f"The embedded Redshift runs only COPY with {option}. Redshift itself has more forms.")
    return CopyCommand(table, source, options["IAM_ROLE"])


def _read_option(rest: list[Token], options: dict[str, str]) -> None:
    word = rest.pop(0).text.upper()
    match word:
        case "IAM_ROLE":
            options[word] = _text(rest)
        case "FORMAT":
            if rest and rest[0].text.upper() == "AS":
                rest.pop(0)
            _expect(rest, "PARQUET")
            options[word] = "PARQUET"
        case "MANIFEST":
            options[word] = ""
        case "STATUPDATE":
            if rest and rest[0].text.upper() in ("ON", "OFF"):
                rest.pop(0)
        case "MAXERROR" | "ACCEPTANYDATE" | "COMPUPDATE" | "TRUNCATECOLUMNS" | "NULL" | "IGNOREHEADER" | "DELIMITER":
            raise RedshiftError(f"{word} option is not supported for PARQUET based COPY")
        case _:
            raise RedshiftError(f"The embedded Redshift does not run COPY with {word}. Redshift itself might.")


def _table(rest: list[Token]) -> str:
    names = [rest.pop(0).text.lower()]
    while rest and rest[0].token_type is TokenType.DOT:
        rest.pop(0)
        names.append(rest.pop(0).text.lower())
    return ".".join(f'"{name}"' for name in names)


def _text(rest: list[Token]) -> str:
    if not rest or rest[0].token_type is not TokenType.STRING:
        raise syntax_error(rest[0].text if rest else "end of input")
    return rest.pop(0).text


def _expect(rest: list[Token], word: str) -> None:
    if not rest or rest.pop(0).text.upper() != word:
        raise syntax_error(rest[0].text if rest else "end of input")
