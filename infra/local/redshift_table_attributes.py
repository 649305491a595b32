"""What a Redshift table has beside its columns: where its rows lie, how they are sorted and encoded. Checked, and then left out.

Developer guide, "CREATE TABLE", "Distribution styles".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot.tokenizer_core import Token, TokenType

from infra.local.redshift_errors import RedshiftError


@dataclass
class TableAttributes:
    """`style` as written; the columns of the keys, of which those written beside a column have no name here."""

    style: str = ""
    distribution_key: list[str] = field(default_factory=list)
    sort_key: list[str] = field(default_factory=list)

    def check(self, columns: set[str] | None) -> None:
        """`columns` are the table's; None where they are another table's. Raises RedshiftError."""
        if len(self.distribution_key) > 1:
            raise RedshiftError("cannot specify multiple distribution keys")
        if self.distribution_key and self.style not in ("", "KEY"):
            raise RedshiftError(f"DISTSTYLE {self.style} cannot be specified with a DISTKEY")
        if self.style == "KEY" and not self.distribution_key:
            raise RedshiftError("DISTSTYLE KEY requires a DISTKEY")
        for name in self.distribution_key + self.sort_key:
            if name and columns is not None and name not in columns:
                raise RedshiftError(f'column "{name}" named in key does not exist')


def without_attributes(sql: str, tokens: list[Token]) -> tuple[str, TableAttributes]:
    """The text of CREATE TABLE or ALTER TABLE without them, and what they were."""
    found, kept, position, i = TableAttributes(), list[str](), 0, 0
    while i < len(tokens):
        size = _attribute(tokens, i, found)
        if size:
            kept.append(sql[position : tokens[i].start])
            position = tokens[i + size - 1].end + 1
        i += size or 1
    return "".join(kept) + sql[position:], found


def _attribute(tokens: list[Token], i: int, found: TableAttributes) -> int:
    """How many tokens the attribute that begins here has; 0 where none does."""
    words = [token.text.upper() if token.token_type is not TokenType.IDENTIFIER else "" for token in tokens[i : i + 2]]
    match words:
        case ["ENCODE" | "BACKUP", _]:
            return 2
        case ["DISTSTYLE", style]:
            found.style = style
            return 2
        case ["COMPOUND" | "INTERLEAVED", "SORTKEY"]:
            return 1 + _attribute(tokens, i + 1, found)
        case ["SORTKEY", "AUTO"]:
            return 2
        case ["DISTKEY" | "SORTKEY" as kind, *following]:
            key = found.distribution_key if kind == "DISTKEY" else found.sort_key
            if following != ["("]:
                key.append("")
                return 1
            end = next(j for j in range(i, len(tokens)) if tokens[j].token_type is TokenType.R_PAREN)
            key += [token.text.lower() for token in tokens[i + 2 : end] if token.token_type is not TokenType.COMMA]
            return end - i + 1
    return 0
