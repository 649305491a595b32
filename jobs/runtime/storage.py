"""The lake: bytes under one root, on disk or S3, through one API with put-if-absent.

Paths are relative to the root and use `/`. Parquet and Delta data go through Arrow and Spark, which get full addresses from
`uri`; everything that decides (ledger, manifests) goes through `create`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from jobs.errors import StorageError

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True)
class StoredObject:
    """One object as a listing shows it; `size` in bytes."""

    key: str
    size: int
    etag: str
    version_id: str | None


class Lake:
    """One root, `s3://bucket/prefix` or a folder. Creates the folder when it is missing.

    `identity`: who asks S3; by default whoever the process is (a laptop's profile, the role of a step, a worker's too).
    """

    def __init__(self, url: str, identity: boto3.Session | None = None) -> None:
        self.is_s3 = url.startswith("s3://")
        if self.is_s3:
            self.root = url.rstrip("/")
            self._store: ObjectStore = _bucket(self.root, identity)
        else:
            folder = Path(url).absolute()
            self.root = str(folder)
            with _storage_errors("Opening the lake", self.root):
                folder.mkdir(parents=True, exist_ok=True)
                self._store = LocalStore(self.root)

    def uri(self, path: str) -> str:
        """The address that Spark and Arrow take."""
        return f"{self.root}/{path}"

    def create(self, path: str, content: bytes) -> bool:
        """Puts `content` if nothing is there; False if something is. Never overwrites."""
        with _storage_errors("Creating", self.uri(path)):
            try:
                self._store.put(path, content, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def put_memo(self, path: str, content: bytes) -> None:
        """Puts `content` over whatever is there: the one overwrite, for memos to people that nothing decides by."""
        with _storage_errors("Writing", self.uri(path)):
            self._store.put(path, content)

    def read(self, path: str) -> bytes | None:
        """The whole object, or None if there is none."""
        with _storage_errors("Reading", self.uri(path)):
            try:
                return bytes(self._store.get(path).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    def open(self, path: str) -> BinaryIO:
        """The object as a stream, for content of any size. Raises StorageError if there is none."""
        with _storage_errors("Opening", self.uri(path)):
            try:
                return cast(BinaryIO, obstore.open_reader(self._store, path))
            except (NotFoundError, FileNotFoundError) as error:
                raise StorageError(
                    f"Opening {self.uri(path)}: expected an object, got none. "
                    "If it was taken away or is delivered again, run the same command again once it is there."
                ) from error

    def head(self, path: str) -> StoredObject | None:
        """Size and ETag without the content, or None if there is no such object."""
        with _storage_errors("Looking at", self.uri(path)):
            try:
                meta = self._store.head(path)
            except (NotFoundError, FileNotFoundError):
                return None
        return StoredObject(meta["path"], meta["size"], meta["e_tag"] or "", meta["version"])

    def objects(self, folder: str, after: str | None = None) -> list[StoredObject]:
        """Every object below `folder`, at any depth, by key; only those whose key comes after `after`."""
        with _storage_errors("Listing", self.uri(folder)):
            found = [meta for chunk in obstore.list(self._store, prefix=folder, offset=after) for meta in chunk]
        return sorted(
            (StoredObject(m["path"], m["size"], m["e_tag"] or "", m["version"]) for m in found), key=lambda o: o.key
        )

    def folders(self, folder: str) -> list[str]:
        """Names of the folders directly below `folder`, without listing what is in them."""
        with _storage_errors("Listing", self.uri(folder)):
            try:
                found = obstore.list_with_delimiter(self._store, prefix=folder)["common_prefixes"]
            except (NotFoundError, FileNotFoundError):
                return []
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found)


def _bucket(root: str, identity: boto3.Session | None) -> S3Store:
    if identity is None:
        return S3Store.from_url(root)
    from obstore.auth.boto3 import Boto3CredentialProvider  # boto3 takes a third of a second to import

    provider = Boto3CredentialProvider(identity)
    return S3Store.from_url(root, region=identity.region_name, credential_provider=provider)


@contextmanager
def _storage_errors(doing: str, where: str) -> Iterator[None]:
    try:
        yield
    except (AlreadyExistsError, NotFoundError, FileNotFoundError):
        raise
    except (BaseError, OSError) as error:
        raise StorageError(
            f"{doing} {where}: expected the storage to answer, got {_first_line(error)!r}. "
            "Free space or restore access, then run the same command again; nothing half-written counts."
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
