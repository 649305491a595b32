"""An environment that was applied on the embedded AWS, as tests look at it: its state, its policies, its commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Policy:
    """`name` is what it belongs to, as in "emr iam_role_policy job[shop]" or "trust of emr iam_role node"; `kind` the type of that."""

    name: str
    kind: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Environment:
    """A copy of the project at `root`, whose Terraform talks to the embedded AWS that `variables` name."""

    root: Path
    variables: Mapping[str, str]
    name: str = "dev"

    def start(self, *command: str) -> subprocess.Popen[str]:
        """`python -m infra.provision …` in a process group of its own, output and errors as one."""
        named = {
            **os.environ,
            **self.variables,
            "PYTHONPATH": str(REPOSITORY),
            "TF_VAR_alert_emails": '["team@example.org"]',
            "TF_CLI_ARGS_apply": "-parallelism=30 -no-color",
            "TF_CLI_ARGS_destroy": "-parallelism=30 -no-color",
            "TF_CLI_ARGS_plan": "-parallelism=30 -no-color",
        }
        called = [sys.executable, "-m", "infra.provision", *command]
        return subprocess.Popen(
            called,
            cwd=self.root,
            env=named,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str) -> tuple[int, str]:
        """(exit code, output)."""
        with self.start(*command) as process:
            told, _ = process.communicate(timeout=600)
        return process.returncode, told

    @property
    def file(self) -> Path:
        return self.root / "conf/environments" / f"{self.name}.yaml"

    @cached_property
    def state(self) -> list[dict[str, Any]]:
        """Every resource that Terraform keeps, with its values. Read once: after an apply."""
        folder = self.root / "infra/terraform/environments" / self.name
        named = {**os.environ, **self.variables, "TF_DATA_DIR": str(self.root / ".tidemark/terraform" / self.name)}
        named["AWS_REGION"] = "eu-central-1"
        done = subprocess.run(
            ["terraform", f"-chdir={folder}", "show", "-json"], env=named, capture_output=True, text=True, check=True
        )
        return list(_resources(json.loads(done.stdout)["values"]["root_module"]))

    def general(self, arn: str) -> str:
        """An ARN without what differs from apply to apply: ids, account and region."""
        general = re.sub(r"\b(sg|subnet|vpc|rtb|vpce)-[0-9a-f]{8,}|\bj-[0-9A-Z]{8,}", "ID", arn)
        general = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "UUID", general)
        return general.replace("123456789012", "ACCOUNT").replace("eu-central-1", "REGION")


def _resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (each for each in module.get("resources", ()) if each["mode"] == "managed")
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def policies(state: list[dict[str, Any]]) -> Iterator[Policy]:
    """Every policy document in the state, whatever attribute holds it."""
    for resource in state:
        for attribute, value in resource["values"].items():
            if isinstance(value, str) and '"Statement"' in value:
                key = f"[{resource['index']}]" if "index" in resource else ""
                kind = resource["type"].removeprefix("aws_")
                owner = f"{resource['address'].split('.')[1]} {kind} {resource['name']}{key}"
                name = f"trust of {owner}" if attribute == "assume_role_policy" else owner
                yield Policy(name, kind, json.loads(value))


def wait_for(process: subprocess.Popen[str], text: str, times: int = 1) -> str:
    """Reads until `text` was told so many times; what was told."""
    assert process.stdout is not None
    told, ends = "", time.monotonic() + 300
    while told.count(text) < times and time.monotonic() < ends:
        line = process.stdout.readline()
        assert line, f"ended before it told {text!r}:\n{told}"
        told += line
    return told


def interrupt(process: subprocess.Popen[str]) -> str:
    """What Ctrl-C does; the rest of what is told."""
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=300)
    return told
