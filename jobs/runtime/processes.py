"""Which process is which, across reboots and reused process ids."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict


class Process(BaseModel):
    """One process on one boot of one machine. `started` in seconds since the epoch: a reused pid starts at another time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    boot_id: str
    pid: int
    started: float


def process(pid: int | None = None) -> Process:
    """This process, or a living one of this machine. Raises psutil.NoSuchProcess."""
    pid = pid or os.getpid()
    return Process(host=socket.gethostname(), boot_id=_boot_id(), pid=pid, started=psutil.Process(pid).create_time())


def is_proven_dead(other: Process) -> bool:
    """True only with proof: another boot of this machine, or this machine without that pid of that start. Never by a timeout."""
    if other.host != socket.gethostname():
        return False
    if other.boot_id != _boot_id():
        return True
    try:
        found = psutil.Process(other.pid)
        return bool(found.create_time() != other.started or found.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _boot_id() -> str:
    """Linux names each boot; elsewhere the boot's time does."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    return linux.read_text().strip() if linux.exists() else f"{psutil.boot_time():.0f}"
