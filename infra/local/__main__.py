"""`python -m infra.local`: the embedded AWS in the foreground, until it is stopped."""

from __future__ import annotations

import signal
from threading import Event
from typing import Annotated

import typer

from infra.local.server import running_aws


def main(port: Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0: any free one.")] = 5005) -> None:
    """An empty AWS on loopback, gone when this command ends. Prints the variables that make a client use it."""
    stopped = Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stopped.set())
    with running_aws(port) as variables:
        for name, value in variables.items():
            print(f"export {name}={value}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    typer.run(main)
