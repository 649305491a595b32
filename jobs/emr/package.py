"""What a step runs, built and delivered: two archives and the launcher, each uploaded once, under a name that says its content."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from jobs.emr import launch
from jobs.emr.archives import Archive, app_archive, dependencies_archive, named
from jobs.runtime.aws import aws_errors, client, code_of
from jobs.runtime.progress import Progress

# Somebody else was first, or is at it at this moment: with the same bytes, which the name says.
_THERE_ALREADY = {"ConditionalRequestConflict", "PreconditionFailed"}


@dataclass(frozen=True)
class Package:
    """Where a step finds what it runs: s3:// addresses."""

    app: str
    dependencies: str
    launcher: str


@contextmanager
def built_package(root: Path, home: Path, progress: Progress) -> Iterator[tuple[Archive, Archive, Archive]]:
    """App, dependencies and launcher as files. Only the dependencies are kept, below `home`. Raises PackagingError."""
    dependencies = dependencies_archive(root, home, progress)
    with tempfile.TemporaryDirectory(prefix="tidemark-package-") as folder:
        launcher = named(Path(launch.__file__), "launch", ".py")
        yield app_archive(root, Path(folder)), dependencies, launcher


def deliver(session: boto3.Session, artifacts_uri: str, root: Path, home: Path, progress: Progress) -> Package:
    """Builds the package and uploads what is missing below `artifacts_uri`; never overwrites.

    Raises: PackagingError, CredentialsError (the bucket denies), AwsUnavailableError, AwsRefusedError.
    """
    bucket, _, folder = artifacts_uri.removeprefix("s3://").rstrip("/").partition("/")
    prefix = f"{folder}/" if folder else ""
    s3 = client(session, "s3")
    with built_package(root, home, progress) as archives:
        for archive in archives:
            with aws_errors(f"Uploading {archive.name} to s3://{bucket}/{prefix}"):
                _upload_if_absent(s3, bucket, f"{prefix}{archive.name}", archive, progress)
    app, dependencies, launcher = (f"s3://{bucket}/{prefix}{archive.name}" for archive in archives)
    return Package(app, dependencies, launcher)


def _upload_if_absent(s3: Any, bucket: str, key: str, archive: Archive, progress: Progress) -> None:
    if _is_there(s3, bucket, key):
        progress.say(f"{archive.name}: uploaded before ({_size(archive.size)})")
        return
    with (
        progress.steps("uploading", 1, f"{archive.name} ({_size(archive.size)})") as steps,
        archive.path.open("rb") as body,
    ):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
        except s3.exceptions.ClientError as error:
            if code_of(error) not in _THERE_ALREADY:
                raise
        steps.done("")


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if code_of(error) != "404":
            raise
        return False
    return True


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
