"""Rules for texts in the YAML that have a small language of their own: cron, paths, patterns, time zones.

Each function returns the fault as (expected, got, hint), or None.
"""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from jobs.config.problems import did_you_mean
from jobs.config.schedule import last_due

TextFault = tuple[str, str, str]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_DATE = ("{YYYY}", "{MM}", "{DD}")
_PLACEHOLDERS = (*_DATE, "{table}")
_HOURLY = (*_DATE, "{HH}")
_RE2_ONLY = {r"\z": r"\Z", r"\p": r"\w", r"\P": r"\W"}
_NOT_RE2 = re.compile(
    r"""(?P<skip>\\[\\\[\]()?*+{}])                       # an escaped character that only looks like syntax
    | (?P<lookaround>\(\?<?[=!])
    | (?P<backreference>\\[1-9] | \\g< | \(\?P=)
    | (?P<conditional>\(\?\()
    | (?P<atomic_group>\(\?>)
    | (?P<comment>\(\?\#)
    | (?P<flag>\(\?-?[imsU]*[auLx])
    | (?P<possessive_repeat>(?:[*+?]|\{\d*,?\d*\})\+)
    | (?P<backspace>\[(?:\\[^b])*\\b)
    | (?P<escape>\\[ZuUN])""",
    re.VERBOSE,
)
_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]", re.DOTALL)
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def cron_fault(schedule: str) -> TextFault | None:
    """Five fields of numbers, names, `*`, lists, ranges and steps."""
    fields = schedule.split()
    if len(fields) != 5:
        return "five fields: minute, hour, day of month, month, day of week", f"{len(fields)} in {schedule!r}", ""
    for text, (name, low, high, words) in zip(fields, _CRON, strict=True):
        if not all(_is_cron_part(part, low, high, words) for part in text.split(",")):
            return f"a {name} of {low} to {high}, *, or a list, range or step of those", repr(text), ""
    if last_due(schedule, datetime(2400, 3, 1, tzinfo=UTC)) is None:
        return "a time that comes", f"{schedule!r}, which is never due", "Correct the day or the month."
    return None


def _is_cron_part(part: str, low: int, high: int, words: dict[str, int]) -> bool:
    match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d{0,2}))?", part, re.ASCII)
    if match is None:
        return False
    if match[1] == "*":
        return True
    bounds = [words.get(word.lower(), int(word) if word.isdecimal() else -1) for word in match.group(2, 3) if word]
    return all(low <= bound <= high for bound in bounds) and bounds == sorted(set(bounds))


def timezone_fault(name: str) -> TextFault | None:
    """A name of the time zone database."""
    if name == "UTC":
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; absolute or with ..; a folder of zones
        return "a time zone such as Europe/Berlin", repr(name), did_you_mean(name, available_timezones())
    return None


def path_fault(path: str) -> TextFault | None:
    """Folders that hold the date, then one file per table; below the pipeline's raw folder."""
    if fault := _placeholder_fault(path, _PLACEHOLDERS):
        return fault
    wrong = [placeholder for placeholder in _PLACEHOLDERS if path.count(placeholder) != 1]
    if wrong:
        return f"{' and '.join(wrong)} once", repr(path), "A file is found by its date and its table."
    folder = path.rpartition("/")[0]
    if not all(part in folder for part in _DATE) or path.index("{table}") < path.index("{DD}"):
        return (
            "the date in a folder, the table after it",
            repr(path),
            "A batch is one dated folder, with a file per table.",
        )
    return None


def events_path_fault(path: str) -> TextFault | None:
    """Folders that hold the date, and the hour if there is one; objects of any name below them."""
    if fault := _placeholder_fault(path.removesuffix("/"), _HOURLY):
        return fault
    wrong = [each for each in _DATE if path.count(each) != 1] + ["{HH}"] * (path.count("{HH}") > 1)
    if wrong:
        return f"{' and '.join(wrong)} once", repr(path), "New objects are looked for in the latest dated folders."
    if not path.endswith("/"):
        return "a path that ends with /", repr(path), "It names a folder; the objects in it may have any name."
    return None


def _placeholder_fault(path: str, known: tuple[str, ...]) -> TextFault | None:
    if path.startswith("/") or {"..", ".", ""} & set(path.split("/")) or "\\" in path or "://" in path:
        return "a path below raw/<pipeline>/, without a leading /, .., or empty parts", repr(path), ""
    for placeholder in re.findall(r"\{[^{}]*\}", path):
        if placeholder not in known:
            return f"only {', '.join(known)}", placeholder, did_you_mean(placeholder, known)
    if "{" in (rest := re.sub(r"\{[^{}]*\}", "", path)) or "}" in rest:
        return "braces in pairs", repr(path), ""
    return None


def pattern_fault(pattern: str) -> TextFault | None:
    """An expression that RE2 (the engine of the row checks) takes; where RE2 and Python differ, the stricter wins."""
    outside = _CLASS.sub(_escapes_only, pattern)
    for match in _NOT_RE2.finditer(outside):
        if match.lastgroup not in ("skip", None):
            what = f"a {str(match.lastgroup).replace('_', ' ')} ({match[0]}), which RE2 does not have"
            return "an RE2 expression", what, "Say it without, or check it in a derived table."
    if any(int(number) > 1000 for match in _REPEAT.finditer(outside) for number in match.groups() if number):
        return "repeats of at most 1000 (RE2)", repr(pattern), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # [[:alpha:]] is RE2's own
            re.compile(_as_python(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        return "a regular expression", f"{pattern!r}: {error}", ""
    return None


def _escapes_only(match: re.Match[str]) -> str:
    """A character class without what only looks like syntax in it; an escape outside of classes as it is."""
    is_class = match[0].startswith("[")
    return "[" + "".join(re.findall(r"\\.", match[0], re.DOTALL)) + "]" if is_class else match[0]


def _as_python(pattern: str) -> str:
    """RE2's own escapes as something that Python parses alike."""
    pattern = re.sub(r"\[:\^?\w+:\]", r"\\w", pattern)
    pattern = re.sub(r"(\\[pP])(?:\{\^?\w+\}|\w)", r"\1", pattern)
    return re.sub(r"\\.", lambda match: _RE2_ONLY.get(match[0], match[0]), pattern, flags=re.DOTALL)
