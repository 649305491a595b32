"""Where the records of a CSV begin and end, found without the parser, so that its row count is checked from outside.

The dialect is RFC 4180 with LF or CRLF line ends, mixed too. A record that breaks it is told apart, and reading goes
on at the line after the place that breaks it, so that what stands inside quotes is not taken for a record. One thing
beyond the RFC is allowed: an even number of quotes inside an unquoted field (`8"N 12"W`). Fields and records end at the
same places then, whether a parser takes these quotes for text or for switches. With an odd number they do not, and
nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]

STRAY_QUOTE = "a quote inside an unquoted field: parsers disagree on where such a field ends, so it is not guessed"
TEXT_AFTER_QUOTE = "text after a closing quote: parsers disagree on where such a field ends, so it is not guessed"
LONE_CR = "a carriage return without a line feed outside quotes: parsers disagree on whether it ends a line"

_LF, _CR, _QUOTE = 10, 13, 34
_BEFORE_OPENING = np.zeros(256, np.bool_)
_BEFORE_OPENING[[*b',\n"']] = True  # after a quote it is the second of a doubled one
_AFTER_CLOSING = np.zeros(256, np.bool_)
_AFTER_CLOSING[[*b',\r\n"']] = True

# Possessive throughout: an open quote costs one pass, and a field of ten million doubled quotes no stack.
_QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'
_UNQUOTED = rb'(?!")[^",\r\n]*+(?:"[^",\r\n]*+"[^",\r\n]*+)*+'
_WELL_FORMED = re.compile(rb"(?:%b|%b)(?:,(?:%b|%b))*" % (_QUOTED, _UNQUOTED, _QUOTED, _UNQUOTED))
_FIELD = re.compile(rb"(?:\A|,)(%b|%b)" % (_QUOTED, _UNQUOTED))


@dataclass(frozen=True)
class Records:
    """Record `i` is `data[starts[i]:stops[i]]`, its line end included; `broken` says why `i` cannot be read.

    `end`: what was looked at; bytes after it begin a record whose end is not in the data.
    """

    starts: Positions
    stops: Positions
    broken: dict[int, str]
    end: int


def split(data: bytes, *, is_last: bool, keep_empty_lines: bool) -> Records:
    """The records of `data`, which begins where a record begins. `is_last`: the object ends with it."""
    content = np.frombuffer(data, np.uint8)
    mask = np.empty(len(data), np.bool_)  # one for all: fresh pages cost more than the comparison
    quotes = np.flatnonzero(np.equal(content, _QUOTE, out=mask))
    newlines = np.flatnonzero(np.equal(content, _LF, out=mask))
    returns = int(np.count_nonzero(np.equal(content, _CR, out=mask))) if b"\r" in data else 0
    if not (_quotes_are_regular(content, quotes) and _returns_are_regular(content, quotes, newlines, returns, is_last)):
        return _scan(data, is_last, keep_empty_lines)
    stops = newlines[_outside(quotes, newlines)] + 1
    end = int(stops[-1]) if stops.size else 0
    if is_last and end < len(data) and quotes.size % 2 == 0:
        end = len(data)
        stops = np.append(stops, end)
    starts = np.concatenate((np.zeros(1, np.int64), stops[:-1]))[: stops.size]
    if not keep_empty_lines:
        empty = (content[starts] == _LF) | (content[starts] == _CR)  # here every CR has its LF
        starts, stops = starts[~empty], stops[~empty]
    return Records(starts, stops, {}, end)


def fields_of(record: bytes) -> list[bytes]:
    """The fields of one well-formed record without its line end, unquoted."""
    found = [match[1] for match in _FIELD.finditer(record)]
    return [field[1:-1].replace(b'""', b'"') if field[:1] == b'"' else field for field in found]


def without_line_end(record: bytes) -> bytes:
    return record[:-1].removesuffix(b"\r") if record.endswith(b"\n") else record


def _outside(quotes: Positions, positions: Positions) -> NDArray[np.bool_]:
    """Which positions have an even number of quotes before them."""
    outside: NDArray[np.bool_] = np.searchsorted(quotes, positions) % 2 == 0
    return outside


def _quotes_are_regular(content: NDArray[np.uint8], quotes: Positions) -> bool:
    """Whether every quote opens or closes a field: only then do counted quotes tell what is inside them."""
    opening, closing = quotes[0::2], quotes[1::2]
    if opening.size and opening[0] == 0:
        opening = opening[1:]
    if closing.size and closing[-1] == content.size - 1:
        closing = closing[:-1]  # what follows is not known yet, or is the end
    return bool(_BEFORE_OPENING[content[opening - 1]].all() and _AFTER_CLOSING[content[closing + 1]].all())


def _returns_are_regular(
    content: NDArray[np.uint8], quotes: Positions, newlines: Positions, returns: int, is_last: bool
) -> bool:
    """Whether every carriage return outside quotes has its line feed."""
    if returns == np.count_nonzero(content[newlines[newlines > 0] - 1] == _CR):
        return True
    found = np.flatnonzero(content == _CR)
    if found[-1] == content.size - 1 and not is_last:
        found = found[:-1]
    lone = found[np.append(content, 0)[found + 1] != _LF]
    return not _outside(quotes, lone).any()


def _scan(data: bytes, is_last: bool, keep_empty_lines: bool) -> Records:
    """As `split`, record by record in one pass: beyond a broken record counted quotes tell nothing."""
    starts: list[int] = []
    stops: list[int] = []
    broken: dict[int, str] = {}
    at = 0
    while at < len(data):
        match = _WELL_FORMED.match(data, at)
        stop, reason = _end_of_record(data, match.end(), is_last) if match else (0, None)
        if stop == 0:
            break
        if reason:
            broken[len(starts)] = reason
        if keep_empty_lines or stop - at > 2 or data[at:stop] not in (b"\n", b"\r\n"):
            starts.append(at)
            stops.append(stop)
        at = stop
    return Records(np.array(starts, np.int64), np.array(stops, np.int64), broken, at)


def _end_of_record(data: bytes, position: int, is_last: bool) -> tuple[int, str | None]:
    """Where the record ends that is well-formed up to `position` (0: not in the data), and what is wrong with it."""
    following = data[position : position + 2]
    if following[:1] == b"\n":
        return position + 1, None
    if following == b"\r\n":
        return position + 2, None
    if not following:
        return (position, None) if is_last else (0, None)
    if following[:1] == b",":
        return 0, None  # a comma is only left over when the quote after it never closes
    reason = {b"\r": LONE_CR, b'"': STRAY_QUOTE}.get(following[:1], TEXT_AFTER_QUOTE)
    newline = data.find(b"\n", position)
    if newline >= 0:
        return newline + 1, reason
    return (len(data), reason) if is_last else (0, None)
