"""Which process is which, across reboots and reused process ids."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict


class Process(BaseModel):
    """One process on one boot of one machine. `started` in seconds: a reused pid starts at another time.

    `pid_namespace`: containers that share a host's name and boot number their processes apart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    boot_id: str
    pid: int
    started: float
    pid_namespace: str = ""


def process(pid: int | None = None) -> Process:
    """This process, or a living one of this machine. Raises psutil.NoSuchProcess."""
    pid = pid or os.getpid()
    return Process(
        host=socket.gethostname(), boot_id=_boot_id(), pid=pid, started=_started(pid), pid_namespace=_pid_namespace()
    )


def is_proven_dead(other: Process) -> bool:
    """True only with proof: another boot of this machine, or this machine without that pid of that start. Never by a timeout."""
    if other.host != socket.gethostname():
        return False
    if other.boot_id != _boot_id():
        return True
    if other.pid_namespace != _pid_namespace():
        return False
    try:
        return _started(other.pid) != other.started or psutil.Process(other.pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _started(pid: int) -> float:
    """Seconds from the boot where Linux counts them: from the epoch they would change whenever the clock is set, and a living
    process would pass for another one."""
    found = psutil.Process(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() if psutil.LINUX else []
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    return int(fields[19]) / os.sysconf("SC_CLK_TCK") if fields else found.create_time()


def _pid_namespace() -> str:
    linux = Path("/proc/self/ns/pid")
    return str(linux.readlink()) if linux.is_symlink() else ""


def _boot_id() -> str:
    """Linux names each boot; elsewhere the boot's time does."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    return linux.read_text().strip() if linux.exists() else f"{psutil.boot_time():.0f}"
