"""What a step wrote, as EMR puts it to S3: `<log uri>/<cluster>/steps/<step>/stdout.gz` and `stderr.gz`, minutes late while it runs."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Literal

import boto3

from jobs.emr.steps import Step
from jobs.runtime.aws import aws_errors, client, code_of

Stream = Literal["stdout", "stderr"]

_MISSING = {"404", "NoSuchKey"}

# user:password@ of an address; password=…, "password": "…" and its relatives; AWS's own keys.
_SECRETS = (
    (re.compile(r"(\w+://[^\s:/@]*:)[^\s@]+(@)"), r"\1***\2"),
    (re.compile(r"(?i)((?:password|passwd|pwd)\w*[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]+"), r"\1***"),
    (re.compile(r"(?i)((?:secret|token)\w*=)[^\s\"',;&]+"), r"\1***"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "***"),
)

_LONGEST_CAUSE = 4000
_OUR_ERROR = re.compile(r"^error: (.+(?:\n[ \t]+\S.*)*)$", re.MULTILINE)
_EXCEPTION = re.compile(
    r"^(?:Caused by: .+|Exception in thread .+|(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt)(?:: .*)?)$",
    re.MULTILINE,
)


class StepLogs:
    """The logs of one step. `address`: the folder in which they are, for people."""

    def __init__(self, session: boto3.Session, log_uri: str, step: Step) -> None:
        self.address = f"{log_uri.rstrip('/')}/{step.cluster}/steps/{step.id}/"
        self._bucket, _, self._prefix = self.address.removeprefix("s3://").partition("/")
        self._s3 = client(session, "s3")

    def read(self, stream: Stream) -> str | None:
        """What of it is in S3 so far, without secrets; None before there is any.

        Raises: CredentialsError (the bucket denies), AwsUnavailableError.
        """
        with aws_errors(f"Reading {self.address}{stream}.gz"):
            try:
                packed = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}{stream}.gz")["Body"].read()
            except self._s3.exceptions.ClientError as error:
                if code_of(error) not in _MISSING:
                    raise
                return None
        return redacted(_unpacked(packed))


class NewLines:
    """Lines of a stream that have come since it was last read."""

    def __init__(self, logs: StepLogs, stream: Stream) -> None:
        self._logs, self._stream, self._seen = logs, stream, 0

    def read(self) -> list[str]:
        lines = (self._logs.read(self._stream) or "").splitlines()
        new, self._seen = lines[self._seen :], max(len(lines), self._seen)
        return new


def redacted(text: str) -> str:
    """`text` with *** for what looks like a secret. Our own code writes none; programs below it may."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _unpacked(packed: bytes) -> str:
    """All that can be read: a file may be fetched while it is replaced by a longer one."""
    try:
        return gzip.decompress(packed).decode(errors="replace")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return (
            zlib.decompressobj(wbits=31).decompress(packed).decode(errors="replace")
            if packed[:2] == b"\x1f\x8b"
            else ""
        )


def root_cause(stderr: str, stdout: str = "") -> str | None:
    """Why a step failed, from its logs: our own error messages (five at most), else the last exception of Python or Java;
    None if there is neither."""
    for text in (stderr, stdout):
        if ours := [match[1] for match in _OUR_ERROR.finditer(text)]:
            return "\n".join(dict.fromkeys(ours[:5]))[:_LONGEST_CAUSE]
    for text in (stderr, stdout):
        if found := _EXCEPTION.findall(text):
            return str(found[-1])[:_LONGEST_CAUSE]
    return None
