"""A delivered object as one stream of plain bytes: gzip is told by content, whatever the name says."""

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
        """Exactly `size` bytes; fewer only at the end. Raises BatchRefusedError if the gzip stream is damaged."""
        try:
            data = self._stream.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BatchRefusedError(
                f"Reading {self._object_key}: expected a whole gzip stream, got {str(error)!r} after {self.position} "
                "decompressed bytes. The file looks truncated or damaged: deliver it again."
            ) from error
        self.position += len(data)
        return data


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
