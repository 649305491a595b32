"""A delivered object as one stream of plain UTF-8 bytes: gzip is told by content, whatever the name says."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from jobs.errors import BatchRefusedError

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")

BOM = b"\xef\xbb\xbf"
RECORD_BYTES = 128 << 20
"""The longest record: an open quote or bracket near the beginning of a large object must not take all memory."""


class PlainBytes:
    """The bytes of one object, decompressed, and how many of them have been read."""

    def __init__(self, source: Iterable[bytes] | BinaryIO, object_key: str) -> None:
        chunks = iter(lambda: source.read(_CHUNK), b"") if hasattr(source, "read") else iter(source)
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= len(_GZIP):
                break
        stream = io.BufferedReader(_Chunks(chain([head], chunks)), _CHUNK)
        self._stream = gzip.GzipFile(fileobj=stream) if head.startswith(_GZIP) else stream
        self._object_key = object_key
        self.position = 0

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, at first 4 or more; fewer only at the end. Raises BatchRefusedError for a damaged gzip stream or UTF-16."""
        try:
            data = self._stream.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BatchRefusedError(
                f"Reading {self._object_key}: expected a whole gzip stream, got {str(error)!r} after {self.position} "
                "decompressed bytes. The file looks truncated or damaged: deliver it again."
            ) from error
        if self.position == 0 and (data.startswith(_WIDE_BOMS) or b"\0" in data[:4]):
            raise BatchRefusedError(
                f"Reading {self._object_key}: expected UTF-8, got UTF-16 (its first bytes are {data[:4]!r}). "
                "Deliver the file as UTF-8."
            )
        self.position += len(data)
        return data

    def require_end(self, rest: bytes, record: str, limit: int, cause: str) -> None:
        """Raises BatchRefusedError if `rest`, the last bytes that were read, is longer than a `record` may be (bytes)."""
        if len(rest) > limit:
            raise BatchRefusedError(
                f"Reading {self._object_key}: expected records of at most {limit} bytes, got no end of {record} "
                f"at byte {self.position - len(rest)}. {cause} Correct the file and deliver it again."
            )


class _Chunks(io.RawIOBase):
    """Chunks of any size as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
