"""The embedded AWS as one WSGI application on loopback: moto, our own parts beside it, and a plain refusal of the rest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import Any

# moto reads it while it is imported; without it no policy that AWS manages can be attached.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from infra.local import budget_details, emr_clusters, emr_fleets, emr_policies, emr_steps, moto_repairs
from infra.local.emr_clusters import running_clusters
from infra.local.json_service import JsonService, signed_scope
from infra.local.redshift_data import RedshiftData
from infra.local.redshift_serverless import RedshiftServerless
from infra.local.redshift_servers import Servers

Start = Callable[[str, list[tuple[str, str]]], object]

ACCOUNT = "123456789012"
USER = "engineer"


class EmbeddedAws:
    """Sends a request to our own service where there is one, else to moto; an operation that neither has is refused with 400:
    moto's own 500 makes clients try again for minutes."""

    def __init__(self, own: Mapping[str, JsonService]) -> None:
        self._own = own
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        service = self._own.get(signed_scope(environ)[1])
        try:
            return service(environ, start) if service else self._moto(environ, start)
        except NotImplementedError as missing:
            told = f"The embedded AWS has no such operation: {missing}"
            print(told, flush=True)
            start("400 Bad Request", [("Content-Type", "application/json"), ("X-Amzn-ErrorType", "NotImplemented")])
            return [json.dumps({"__type": "NotImplemented", "message": told}).encode()]


@cache
def _complete_moto() -> None:
    """Once in a process: the parts wrap what they find."""
    for part in (moto_repairs, budget_details, emr_policies, emr_clusters, emr_fleets, emr_steps):
        part.install()


def embedded_aws(redshift_servers: Servers) -> EmbeddedAws:
    _complete_moto()
    serverless = RedshiftServerless(ACCOUNT)
    return EmbeddedAws(
        {"redshift-serverless": serverless, "redshift-data": RedshiftData(ACCOUNT, serverless, redshift_servers)}
    )


@contextmanager
def running_aws(port: int = 0) -> Iterator[dict[str, str]]:
    """The variables that make an AWS client, Terraform among them, talk to a server of its own and to nothing else.

    The account is empty but for one user, whose keys these are; the port is any free one by default."""
    redshift_servers = Servers()
    application = embedded_aws(redshift_servers)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with running_clusters(address):  # ends first: steps that are ended still hand in their logs
            yield _client_variables(address)
    finally:
        server.shutdown()
        thread.join()
        redshift_servers.close()


def _client_variables(address: str) -> dict[str, str]:
    users = get_backend("iam")[ACCOUNT]["aws"]
    users.create_user("us-east-1", USER)
    key = users.create_access_key(USER)
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_ALLOW_HTTP": "true",  # obstore asks for it, where the endpoint has no TLS
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
