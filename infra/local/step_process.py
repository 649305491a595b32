"""A program in a session of its own: whatever it starts can be found and ended, also what its own parents have left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil


def start_in_session(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
) -> subprocess.Popen[bytes]:
    """The session's number is the program's process id. Raises OSError if there is no such program."""
    with stdout.open("ab") as out, stderr.open("ab") as errors:
        return subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )


def interrupt_session(session: int) -> None:
    """Asks the program, and what runs in its group, to end. Not SIGINT: what a shell starts in the background ignores it."""
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGTERM)


def end_session(session: int) -> None:
    """Kills all of the session and returns when nothing of it is alive. More than a group: Spark's Python workers make their own."""
    while members := _living_members(session):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _living_members(session: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found
