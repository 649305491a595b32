"""A problem in conf/ or the environment variables, and how all of them read together. No rule belongs here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from jobs.errors import ConfigError

Path = tuple[str | int, ...]
"""Where a value stands in its file: keys, and numbers for the entries of a list."""

_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Problem:
    """One thing to change. `line` counts from 1; None where a whole file or a variable is meant. `key` is `tables.posts.key[0]`."""

    file: str
    line: int | None
    key: str
    expected: str
    got: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{f'{place}: {self.key}'.removesuffix(': ')}\n    expected {self.expected}, got {self.got}. {self.hint}".rstrip()


@dataclass(frozen=True)
class Fault:
    """A problem whose line is not looked up yet."""

    path: Path
    expected: str
    got: str
    hint: str = ""


def config_error(problems: Iterable[Problem]) -> ConfigError:
    """All problems in one error, each once, by file and line."""
    unique = sorted(set(problems), key=lambda problem: (problem.file, problem.line or 0, problem.key, problem.expected))
    count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
    head = f"Reading the configuration: expected values that can run, got {count}. Change what follows, then run again."
    return ConfigError("\n".join([head, *map(str, unique)]), tuple(unique))


def dotted(path: Path) -> str:
    """`tables.posts.key[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`Did you mean 'columns'?`, whatever the case, or '' when nothing is near."""
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(str(word).lower(), by_lower, n=1)
    return f"Did you mean {by_lower[near[0]]!r}?" if near else ""


def listed(names: Iterable[object]) -> str:
    """`a, b, c`, at most twelve; `none` where there is none."""
    words = [str(name) for name in names]
    return ", ".join(words[:12]) + (", …" if len(words) > 12 else "") or "none"


def shown(value: object) -> str:
    """A value as the reader of a YAML file thinks of it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping" if value else "an empty mapping"
    return f"a {type(value).__name__}"
