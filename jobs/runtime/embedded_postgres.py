"""The embedded Postgres of a laptop: source and warehouse of the local environment, below `<home>/postgres/`.

The first command that needs it starts it, the last one to leave stops it. It listens on 127.0.0.1 only, on a port
that is free when it starts: a unix socket needs a path under 108 bytes, which a home may exceed, and JDBC has none.

Who uses it is told by flock, which the kernel releases with its process: a command killed hard is never counted.
`gate.lock` is held while starting or stopping, `users.lock` is shared by all users. Both are closed on exec, so that
neither the server nor a JVM keeps them. Nothing about tables or pipelines belongs here.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from jobs.errors import EmbeddedPostgresError
from jobs.runtime.postgres_programs import Programs, programs_for, run_as_owner

USER = "tidemark"
_DATABASE_CREATION_LOCK = 20_240_301
_READY_TIMEOUT_SECONDS = 300  # crash recovery may replay a gigabyte of WAL
_START_ATTEMPTS = 5
_PASSING_FAILURES = (
    "Address already in use",  # another process took the port between choosing and binding it
    "pre-existing shared memory block",  # sessions of a postmaster killed hard need a moment to notice
)
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = '128MB'
max_prepared_transactions = 16
jit = off
log_checkpoints = off
"""


class EmbeddedPostgres:
    """A running server. Valid inside `running_postgres` only."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self._password = password
        self._created: set[str] = set()

    def url(self, database: str) -> str:
        """`postgresql://…` of `database`, which is created when absent. Holds the password: never log it."""
        if database not in self._created:
            self._create_if_absent(database)
            self._created.add(database)
        return self._url(database)

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    def _create_if_absent(self, database: str) -> None:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(database))
        try:
            with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=10) as connection:
                connection.execute("SELECT pg_advisory_lock(%s)", [_DATABASE_CREATION_LOCK])
                if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
                    connection.execute(create)
        except psycopg.Error as error:
            raise EmbeddedPostgresError(
                f"Opening database {database!r} of the embedded Postgres: expected it to answer on port {self.port}, "
                f"got {str(error).strip()!r}. Run the same command again; it starts the server if that has died."
            ) from error


@contextmanager
def running_postgres(home: Path) -> Iterator[EmbeddedPostgres]:
    """The server of `home`, started if nobody has yet, stopped if nobody else uses it when the block is left.

    Raises:
        EmbeddedPostgresError: no programs, a folder that cannot be used, data of another version, a start that failed.
    """
    folder = home.absolute() / "postgres"
    with _file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        users = os.open(folder / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            with _file_errors(folder), _gate(folder):
                fcntl.flock(users, fcntl.LOCK_SH)
                password = _password(folder)
                port = _port_if_running(folder) or _start(folder)
            yield EmbeddedPostgres(port, password)
        finally:
            with _file_errors(folder), _gate(folder):
                if _is_last_user(users):
                    _stop(folder)
    finally:
        os.close(users)


@contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """One process at a time decides whether the server runs."""
    gate = os.open(folder / "gate.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


def _is_last_user(users: int) -> bool:
    """Gives up the shared lock in any case; nobody can take it meanwhile, because the gate is ours."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _password(folder: Path) -> str:
    """The stored password; made at the first use, before the data, which is made with it."""
    file = folder / "password"
    if not file.exists():
        if (folder / "data").exists():
            raise EmbeddedPostgresError(_failure(folder, f"the password of its data in {str(file)!r}", "no such file"))
        draft = folder / "password.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_urlsafe(24))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    return file.read_text()


def _port_if_running(folder: Path) -> int | None:
    """The port of a server that is ready; None if none runs, after a stale pid file is out of the way."""
    pid_file = folder / "data" / "postmaster.pid"
    deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            lines = pid_file.read_text().splitlines()
        except FileNotFoundError:
            return None
        if lines and str(folder / "data") not in _command_line(int(lines[0])):
            # After a reboot the number may belong to any process; Postgres would take it for a running server.
            pid_file.unlink(missing_ok=True)
            return None
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return int(lines[3])
        time.sleep(0.02)  # its starter was killed while it recovers, or it is stopping
    raise EmbeddedPostgresError(_failure(folder, "a server that becomes ready", "one that hangs"))


def _command_line(pid: int) -> str:
    """Empty for a process that is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
        except (FileNotFoundError, ProcessLookupError):
            return ""
    return subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False).stdout


def _start(folder: Path) -> int:
    data, log = folder / "data", folder / "postgres.log"
    programs = programs_for(data)
    if not data.exists():
        _initialise(folder, programs)
    options = ["--wait", "--silent", f"--timeout={_READY_TIMEOUT_SECONDS}", "-D", str(data), "-l", str(log)]
    written = ""
    for attempt in range(_START_ATTEMPTS):
        if log.exists():
            log.replace(folder / "postgres.previous.log")
        port = _free_port()
        started = run_as_owner(data, programs.command("pg_ctl", "start", *options, "-o", f"-p {port}"))
        if started.returncode == 0:
            return port
        written = started.stderr + (log.read_text(errors="replace") if log.exists() else "")
        if not any(passing in written for passing in _PASSING_FAILURES):
            break
        time.sleep(0.2 * (attempt + 1))
    raise EmbeddedPostgresError(_failure(folder, "a server that becomes ready", _last_lines(written)))


def _stop(folder: Path) -> None:
    """Ends sessions of other programs too: who wants the server for longer keeps a command open."""
    data = folder / "data"
    if _port_if_running(folder) is None:
        return
    options = ["--wait", "--silent", "--timeout=120", "--mode=fast", "-D", str(data)]
    stopped = run_as_owner(data, programs_for(data).command("pg_ctl", "stop", *options))
    if stopped.returncode != 0:
        raise EmbeddedPostgresError(_failure(folder, "a server that stops", _last_lines(stopped.stderr)))


def _initialise(folder: Path, programs: Programs) -> None:
    """Makes the data folder under another name first: one that is there is whole."""
    draft = folder / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(draft, nobody.pw_uid, nobody.pw_gid)
    # Code point order everywhere; before 17 there is no C locale that also knows upper and lower case beyond ASCII.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if programs.major >= 17 else []
    rights = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={folder / 'password'}"]
    options = ["--encoding=UTF8", "--locale=C", *locale, *rights, "--no-instructions", "-D", str(draft)]
    made = run_as_owner(draft, programs.command("initdb", *options))
    if made.returncode != 0:
        raise EmbeddedPostgresError(_failure(folder, "initdb to make the data folder", _last_lines(made.stderr)))
    with (draft / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS)
    draft.rename(folder / "data")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-5:])


def _failure(folder: Path, expected: str, got: str) -> str:
    return (
        f"Starting or stopping the embedded Postgres in {str(folder)!r}: expected {expected}, got {got!r}. "
        f"See also {str(folder / 'postgres.log')!r}. Remove the cause, then run the same command again."
    )


@contextmanager
def _file_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(_failure(folder, "a folder that can be read and written", str(error))) from error
