"""Terraform, run on one root module: found, checked, followed, and its known failures told with their remedy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO

from infra.provision.provider_mirror import cli_settings
from jobs.config import find_root
from jobs.errors import LeaseHeldError, ProvisioningError, RuntimeMismatchError

OLDEST = (1, 11)
"""The first with write-only arguments and state locks without DynamoDB."""

_LOCK = re.compile(
    r"Error acquiring the state lock.*?Lock Info:.*?ID:\s+(\S+).*?Who:\s+(\S+).*?Created:\s+([^\n]+)", re.DOTALL
)
_EXISTS = re.compile(
    r"Error: creating [^(\n]+\(([^)\n]+)\)[^\n]*(?:AlreadyExists|AlreadyOwnedByYou|ResourceInUse|ConflictException)[^\n]*\n+\s*with ([^,\n]+),"
)
_BOX = re.compile(r"^[│╷╵ ]+", re.MULTILINE)


@dataclass(frozen=True)
class RootModule:
    """`folder` holds the .tf files; `data` is Terraform's own working folder; `name` is what people call it."""

    name: str
    folder: Path
    data: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, doing: str, *arguments: str) -> None:
        """Terraform with its output on this terminal, waited for also when Ctrl-C asks it to stop.

        Raises LeaseHeldError where another run holds the state, ProvisioningError for any other failure."""
        with subprocess.Popen(
            self._command(*arguments), env=self._variables(), stderr=subprocess.PIPE, text=True
        ) as process:
            told: list[str] = []
            assert process.stderr is not None
            reader = Thread(target=_tee, args=(process.stderr, told), daemon=True)
            reader.start()
            _wait(process)
            reader.join()
        if process.returncode:
            raise self._failure(doing, "".join(told), process.returncode)

    def output(self, name: str) -> object:
        """One output of the state. Raises ProvisioningError."""
        command = self._command("output", "-json")
        done = subprocess.run(command, env=self._variables(), capture_output=True, text=True, check=False)
        outputs = json.loads(done.stdout) if done.returncode == 0 else {}
        if name not in outputs:
            raise ProvisioningError(
                f"Reading what Terraform made of {self.name}: expected an output {name!r}, got none"
                f"{': ' + done.stderr.strip() if done.stderr.strip() else ''}. Run `make tf-apply ENV={self.name}` first."
            )
        return outputs[name]["value"]

    def _command(self, *arguments: str) -> list[str]:
        return [terraform_program(), f"-chdir={self.folder}", *arguments]

    def _variables(self) -> dict[str, str]:
        self.data.mkdir(parents=True, exist_ok=True)
        settings = {"TF_DATA_DIR": str(self.data), "TF_IN_AUTOMATION": "1"}
        return {**os.environ, **settings, **cli_settings(find_root(self.folder), self.data), **self.variables}

    def _failure(self, doing: str, told: str, code: int) -> ProvisioningError | LeaseHeldError:
        told = _BOX.sub("", told)
        if lock := _LOCK.search(told):
            held, who, since = lock.groups()
            return LeaseHeldError(
                f"{doing} {self.name}: expected its state to be free, got a lock that {who} holds since {since}. "
                f"Wait for that run; if it is gone for certain: make tf-unlock ENV={self.name} ID={held}"
            )
        if exists := _EXISTS.search(told):
            made, address = exists.groups()
            return ProvisioningError(
                f"{doing} {self.name}: expected to make {address}, got one of the name {made!r} that the state does not know. If an "
                "apply made it that was stopped meanwhile, take it over and apply again: "
                f"make tf-import ENV={self.name} ADDRESS='{address}' ID='{made}'"
            )
        return ProvisioningError(
            f"{doing} {self.name}: expected Terraform to finish, got exit code {code} and the errors above. What it made is in "
            "its state: mend the cause and run the same command again, it goes on from there."
        )


def terraform_program() -> str:
    """Raises RuntimeMismatchError where it is absent or too old."""
    found = shutil.which("terraform")
    wanted = "Looking for Terraform: expected {}.{} or later on PATH, got ".format(*OLDEST)
    if found is None:
        raise RuntimeMismatchError(f"{wanted}none. Install it from HashiCorp's packages or your system's.")
    told = subprocess.run([found, "version", "-json"], capture_output=True, text=True, check=True).stdout
    version = json.loads(told)["terraform_version"]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise RuntimeMismatchError(f"{wanted}{version}. Install a later one.")
    return found


def _tee(source: IO[str], told: list[str]) -> None:
    for line in source:
        told.append(line)
        sys.stderr.write(line)
        sys.stderr.flush()


def _wait(process: subprocess.Popen[str]) -> None:
    """Ctrl-C reaches Terraform as well, which then stores what it has made and ends; a second one makes it end at once."""
    while True:
        try:
            process.wait()
        except KeyboardInterrupt:
            continue
        return
