"""Where the records of an event object begin and end, and what happens beside a broken one.

Top level: objects, in any number, with or without white space between them, and arrays of objects. A valid object ends
where it ends; nothing that follows can change that. A value that is not valid is one unreadable record:

- Up to the bracket that closes it, if its brackets pair, every string in it stands where a string may stand, and none goes
  on to a line that begins with a bracket: then no quote is missing, and the brackets are brackets. Reading goes on behind it.
- Otherwise its end cannot be told, and reading goes on at the next *sure start*: a whole valid object with at least one
  name, after `}` and white space only, or at the beginning of a line after anything but `[ , : {`; and behind it comes
  another object or the end. Inside a valid value nothing of that is possible: objects in an array have commas between
  them, and the quotes of an object inside a string are escaped.

So a neighbour may be kept with a broken record (in an array all that follow may), but what stands inside a record never
comes out as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from jobs.sources.events_json import Fields, judge, parse

LOOK_AHEAD = 1 << 18
"""How far a closing bracket is looked for after a bracket that opens where none may (`}{`): without this limit every cut-off
record would cost a look through the whole object (it costs 20 ms as it is)."""

_WS = rb"[ \t\r\n]*+"
_SPACE = re.compile(_WS)
_CUT = re.compile(rb"\}(?=%b(?:[{\[]|\Z))" % _WS)
_CUT_IN_ARRAY = re.compile(rb"\}(?=%b(?:,%b\{|\]|\Z))" % (_WS, _WS))
_CUTS = 8  # tries; a record with more of `}{` or `},{` inside is scanned, or its parts would be parsed again and again
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_INTO_ANOTHER_RECORD = re.compile(rb"\n[ \t\r\n]*+[{\[]")
_TOKEN = re.compile(rb'([^"{}\[\]]*+)([{}\[\]]|%b)' % _STRING, re.DOTALL)
_WORD = re.compile(rb'%b|[^"{}\[\],:\s]++|.' % _STRING, re.DOTALL)
_SCALAR = re.compile(rb"%b|-?[0-9][0-9.eE+-]*+|true|false|null" % _STRING, re.DOTALL)
_SURE_START = re.compile(rb'(?:\}%b|[^\[,:{ \t\r\n][ \t\r\n]*\n)(\{)(?=%b")' % (_WS, _WS))
_AFTER_SURE_START = re.compile(rb"%b(?:\{|\Z)" % _WS)
_PAIRS = {b"}": b"{", b"]": b"["}


class Record(NamedTuple):
    """`raw` stands at `start` of the data; `content` is its fields, or why it cannot be read."""

    start: int
    raw: bytes
    content: Fields | str


class _Expects(Enum):
    RECORD_OR_ARRAY = auto()
    FIRST_OF_ARRAY = auto()
    SEPARATOR = auto()
    NEXT_OF_ARRAY = auto()


_SEPARATORS = {
    (_Expects.RECORD_OR_ARRAY, b"["): _Expects.FIRST_OF_ARRAY,
    (_Expects.FIRST_OF_ARRAY, b"]"): _Expects.RECORD_OR_ARRAY,
    (_Expects.SEPARATOR, b","): _Expects.NEXT_OF_ARRAY,
    (_Expects.SEPARATOR, b"]"): _Expects.RECORD_OR_ARRAY,
}


class _Unfinished(Exception):
    """What comes next in the object decides."""


class Splitter:
    """The records of one object, given in portions. `end`: what has been split; the next portion begins with the rest."""

    def __init__(self) -> None:
        self._expects = _Expects.RECORD_OR_ARRAY
        self.count = 0
        self.end = 0

    def split(self, data: bytes, *, is_last: bool) -> Iterator[Record]:
        """The records that end in `data`. `is_last`: the object ends with it."""
        self.end = self._skip_separators(data, 0)
        while self.end < len(data):
            try:
                record = self._record(data, self.end, is_last)
            except _Unfinished:
                return
            self.count += 1
            yield record
            self.end = self._skip_separators(data, record.start + len(record.raw))
        if is_last and self._expects is not _Expects.RECORD_OR_ARRAY:
            self.count += 1
            yield Record(self.end, b"", "expected the array to be closed, got the end of the object: it looks cut off")

    def _skip_separators(self, data: bytes, at: int) -> int:
        while True:
            at = _after_space(data, at)
            after = _SEPARATORS.get((self._expects, data[at : at + 1]))
            if after is None:
                return at
            self._expects = after
            at += 1

    def _record(self, data: bytes, at: int, is_last: bool) -> Record:
        in_array = self._expects is not _Expects.RECORD_OR_ARRAY
        found = None if self._expects is _Expects.SEPARATOR else _value(data, at, is_last, in_array, LOOK_AHEAD)
        if found:
            self._expects = _Expects.SEPARATOR if in_array else _Expects.RECORD_OR_ARRAY
            stop, content = found
            return Record(at, data[at:stop], content)
        stop = _sure_start(data, at, is_last)
        raw = data[at:stop].rstrip(b" \t\r\n")
        reason = "expected ',' or ']' after a record" if self._expects is _Expects.SEPARATOR else judge(raw)
        self._expects = _Expects.RECORD_OR_ARRAY
        return Record(
            at, raw, f"{reason}; where the record ends cannot be told, so all is kept up to the next sure start"
        )


def _value(data: bytes, at: int, is_last: bool, in_array: bool, look_ahead: int) -> tuple[int, Fields | str] | None:
    """Where the value at `at` ends, and its fields or why it has none; None where its end cannot be told."""
    if data.startswith(b"{", at):
        cut, position = _CUT_IN_ARRAY if in_array else _CUT, at
        for _ in range(_CUTS):
            match = cut.search(data, position)
            if not match:
                break
            position = match.end()
            fields = parse(data[at:position])
            if fields is not None:
                return position, fields
    is_nested = data.startswith((b"{", b"["), at)
    stop = _closing(data, at, is_last, look_ahead) if is_nested else _end_of_scalar(data, at, is_last, in_array)
    return None if stop is None else (stop, judge(data[at:stop]))


def _closing(data: bytes, at: int, is_last: bool, look_ahead: int) -> int | None:
    """Behind the bracket that closes the one at `at`; None where brackets or strings do not fit together."""
    opened: list[bytes] = []
    before = b""
    first_gap = None
    while match := _TOKEN.match(data, at):
        between, token, at = match[1].strip(b" \t\r\n"), match[2], match.end()
        if not _fit(before, between, token) or (token[:1] == b'"' and _INTO_ANOTHER_RECORD.search(token)):
            return None
        if first_gap is None and opened and token in (b"{", b"[") and not _may_nest(before, between):
            first_gap = at
        if first_gap is not None and at - first_gap >= look_ahead:
            return None
        if token in (b"{", b"["):
            opened.append(token)
        elif token in _PAIRS:
            if opened.pop() != _PAIRS[token]:
                return None
            if not opened:
                return at
        before = token
    if not is_last:
        raise _Unfinished
    return None


def _fit(before: bytes, between: bytes, token: bytes) -> bool:
    """Whether a string opens and closes where one may: elsewhere a quote is missing, and inside is taken for outside."""
    opens = not token.startswith(b'"') or between.endswith((b",", b":")) or (not between and before in (b"{", b"["))
    closes = not before.startswith(b'"') or between.startswith((b",", b":")) or (not between and token in _PAIRS)
    return opens and closes


def _may_nest(before: bytes, between: bytes) -> bool:
    return between.endswith((b",", b":")) or (not between and before == b"[")


def _end_of_scalar(data: bytes, at: int, is_last: bool, in_array: bool) -> int | None:
    """Behind a string, number, true, false or null that stands alone."""
    word = _WORD.match(data, at)
    assert word, "any byte is a word"
    after = _after_space(data, word.end())
    if after == len(data) and not is_last:
        raise _Unfinished
    following = data[after : after + 1]
    if in_array:
        is_alone = following in (b",", b"]")
    else:
        is_alone = following in (b"", b"{", b"[") or b"\n" in data[word.end() : after]
    return word.end() if is_alone and _SCALAR.fullmatch(word[0]) else None


def _sure_start(data: bytes, at: int, is_last: bool) -> int:
    """The next one after `at`, or the end of the object."""
    for match in _SURE_START.finditer(data, at):
        start = match.start(1)
        found = _value(data, start, is_last, in_array=False, look_ahead=0)  # it must be valid, so it has no gap
        if found and isinstance(found[1], dict):
            after = _AFTER_SURE_START.match(data, found[0])
            if after and after.end() == len(data) and not is_last:
                raise _Unfinished
            if after:
                return start
    if not is_last:
        raise _Unfinished
    return len(data)


def _after_space(data: bytes, at: int) -> int:
    match = _SPACE.match(data, at)
    assert match, "white space may be empty"
    return match.end()
