"""Where COPY's rows are: the role that reads, the manifest, and the objects in the embedded S3 that it names.

Developer guide: "Using a manifest to specify data files", "IAM permissions for COPY, UNLOAD, CREATE LIBRARY"; management guide:
"Authorizing COPY and UNLOAD operations using IAM roles". Conditions in the role's policies and the bucket's own policy are not asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role
from moto.s3.models import FakeKey

from infra.local.redshift_errors import LoadError, RedshiftError, spectrum_error
from infra.local.redshift_warehouses import Warehouse

_SERVICES = ("redshift.amazonaws.com", "redshift-serverless.amazonaws.com")


@dataclass(frozen=True)
class Place:
    """An object of S3."""

    bucket: str
    key: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Entry:
    """`length` is what the manifest declares, in bytes."""

    place: Place
    mandatory: bool
    length: int


@dataclass(frozen=True)
class CopySource:
    """`manifest` is its address. Every method raises RedshiftError, with a `load` for SYS_LOAD_ERROR_DETAIL."""

    account: str
    manifest: str
    role: Role

    def entries(self) -> list[Entry]:
        """Those whose objects are there. A mandatory one has to be, and at least one in any case."""
        place = _place(self.manifest)
        held = self._held(place)
        if held is None:
            raise self._error(
                "Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"
            )
        try:
            entries = [_entry(entry) for entry in json.loads(held.value)["entries"]]
        except (ValueError, KeyError, TypeError) as error:
            raise self._error("Manifest file is not in correct json format") from error
        there = [entry for entry in entries if self._held(entry.place) is not None]
        for entry in entries:
            if entry.mandatory and entry not in there:
                context = f"Manifest file location={self.manifest} url={entry.place.url}"
                raise self._error("Mandatory url is not present in manifest file.", context, entry.place.url)
        if not there:
            raise self._error(f"The specified S3 prefix '{place.key}' does not exist")
        return there

    def content(self, entry: Entry) -> bytes:
        """Of an object that is there and as long as its entry says."""
        held = self._held(entry.place)
        if held is None or held.size != entry.length:
            raise spectrum_error(
                "HTTP response error code: 416 Message: InvalidRange The requested range is not satisfiable "
                + entry.place.url,
                load=LoadError(entry.place.url),
            )
        return bytes(held.value)

    def _held(self, place: Place) -> FakeKey | None:
        """None for an object that is not there. Spectrum, which reads the objects, words a refusal otherwise."""
        if not self._may_read(place):
            if place.url == self.manifest:
                raise self._error("S3ServiceException:Access Denied,Status 403,Error AccessDenied")
            told = f"Forbidden: HTTP response error code: 403 Message: AccessDenied Access Denied {place.url}"
            raise spectrum_error(told, load=LoadError(place.url))
        bucket = get_backend("s3")[self.account]["aws"].buckets.get(place.bucket)
        held = bucket.keys.get(place.key) if bucket else None
        return held if isinstance(held, FakeKey) else None  # else a delete marker

    def _may_read(self, place: Place) -> bool:
        policies = [*self.role.policies.values(), *self.role.managed_policies.values()]
        arn = f"arn:aws:s3:::{place.bucket}/{place.key}"
        found = {IAMPolicy(policy).is_action_permitted("s3:GetObject", arn) for policy in policies}
        return PermissionResult.PERMITTED in found and PermissionResult.DENIED not in found

    def _error(self, message: str, context: str = "", file: str = "") -> RedshiftError:
        context = context or f"Manifest file location={self.manifest}"
        return RedshiftError(message, 8001, context, "s3_utility.cpp:328", load=LoadError(file or self.manifest))


def source_of(account: str, warehouse: Warehouse, role: str, manifest: str) -> CopySource:
    """Raises RedshiftError: the role is not the warehouse's, is gone, or does not trust Redshift."""

    def refused(message: str) -> RedshiftError:
        return RedshiftError(message, 30000, "", "xen_aws_credentials_mgr.cpp:402", load=LoadError(manifest))

    if role not in warehouse.iam_roles:
        raise refused(f"The requested role {role} is not associated to cluster")
    try:
        found = get_backend("iam")[account]["aws"].get_role_by_arn(role)
    except NotFoundException as error:
        raise refused(f"Not authorized to get credentials of role {role}") from error
    trusted = json.dumps(found.assume_role_policy_document)
    if not any(service in trusted for service in _SERVICES):
        raise refused(f"Not authorized to get credentials of role {role}")
    return CopySource(account, manifest, found)


def _entry(entry: dict[str, Any]) -> Entry:
    place = _place(entry["url"])
    if "meta" not in entry:
        raise _manifest_error("File entry does not have 'meta' key.", place)
    if "content_length" not in entry["meta"]:
        raise _manifest_error("'meta' does not have 'content_length' key.", place)
    return Entry(place, entry.get("mandatory", False), int(entry["meta"]["content_length"]))


def _manifest_error(message: str, place: Place) -> RedshiftError:
    return RedshiftError(message, 15003, "", "spectrum_manifest.cpp:204", load=LoadError(place.url))


def _place(url: str) -> Place:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not key:
        raise RedshiftError(f"Invalid S3 path {url}", 8001, "", "s3_utility.cpp:328", load=LoadError(url))
    return Place(bucket, key)
