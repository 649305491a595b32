"""What a step leaves behind: its four log files, in S3 where EMR puts them, and the reason of its failure."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

_FILES = ("controller", "stdout", "stderr", "syslog")

# Where the last word of a program that failed stands. In client mode Spark writes what Python says, errors too, to stdout.
_JAVA_ENDED = re.compile(r"^Exception in thread .+$", re.MULTILINE)
_PYTHON_ENDED = re.compile(r"^[\w.]+(?:Error|Exception|Exit|Interrupt)(?:: .*)?$", re.MULTILINE)
_LAST_WORDS = (("stderr", _JAVA_ENDED), ("stdout", _PYTHON_ENDED), ("stderr", _PYTHON_ENDED))


class StepLogs:
    """The files of one step in `folder`; those that changed go to `uri`, `<LogUri>/<cluster>/steps/<step>/`, whenever they are pushed."""

    def __init__(self, folder: Path, uri: str | None, s3: Any) -> None:
        folder.mkdir(parents=True)
        self._paths = {name: folder / name for name in _FILES}
        self._uri = uri
        self._s3 = s3
        self._pushed: dict[str, bytes] = {}
        for path in self._paths.values():
            path.touch()

    def path(self, name: str) -> Path:
        return self._paths[name]

    def note(self, text: str) -> None:
        """One line of `controller`, in which EMR tells what it does."""
        with self._paths["controller"].open("a") as controller:
            controller.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} INFO {text}\n")

    def push(self) -> None:
        """Does not fail the step: where nodes may not write, EMR's logs are missing too."""
        if self._uri is None:
            return
        place = urlsplit(self._uri)
        for name, path in self._paths.items():
            content = path.read_bytes()
            if self._pushed.get(name) == content:
                continue
            key = f"{place.path.lstrip('/')}{name}.gz"
            try:
                self._s3.put_object(Bucket=place.netloc, Key=key, Body=gzip.compress(content))
            except ClientError as error:
                print(f"Pushing {self._uri}{name}.gz: expected to be let, got {error}", flush=True)
                return
            self._pushed[name] = content

    def failure_details(self) -> dict[str, str]:
        """EMR API reference, FailureDetails: a reason that the service does not know is "Unknown Error"; the message is text from a log."""
        file, message = next(self._last_words(), ("stderr", None))
        details = {"Reason": "Unknown Error"}
        if message is not None:
            details["Message"] = message
        if self._uri is not None:
            details["LogFile"] = f"{self._uri}{file}.gz"
        return details

    def _last_words(self) -> Iterator[tuple[str, str]]:
        for file, pattern in _LAST_WORDS:
            found = pattern.findall(self._paths[file].read_text(errors="replace"))
            if found:
                yield file, found[-1]
