"""A service of the JSON protocol, where moto has none: `X-Amz-Target: Prefix.Operation`, JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.core.utils import camelcase_to_underscores


class ServiceError(Exception):
    """What AWS answers with a code of its own, as the service's API reference names it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def signed_scope(environ: Mapping[str, Any]) -> tuple[str, str]:
    """(region, service) of a request's signature, `Credential=<key>/<day>/<region>/<service>/aws4_request`; empty without one."""
    scope = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].partition(",")[0].split("/")
    return (scope[2], scope[3]) if len(scope) == 5 else ("", "")


class JsonService:
    """Operations are methods by their snake-case names: the signature's region and the parameters in, the result out."""

    def __call__(
        self, environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]
    ) -> Iterable[bytes]:
        region, _ = signed_scope(environ)
        operation = str(environ["HTTP_X_AMZ_TARGET"]).rpartition(".")[2]
        given = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"{}")
        perform = getattr(self, camelcase_to_underscores(operation), None)
        if perform is None:
            raise NotImplementedError(f"{type(self).__name__}.{operation}")
        try:
            status, result = "200 OK", perform(region, **given)
        except ServiceError as error:
            status, result = "400 Bad Request", {"__type": error.code, "message": str(error)}
        start(status, [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps(result).encode()]
