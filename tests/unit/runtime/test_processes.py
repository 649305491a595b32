"""Who is proven dead: a lease is only taken over with proof."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from jobs.runtime.processes import Process, is_proven_dead, process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def test_this_process_and_a_living_one_are_not_dead(sleeper: subprocess.Popen[bytes]) -> None:
    assert process() == process(os.getpid())
    assert not is_proven_dead(process())
    assert not is_proven_dead(process(sleeper.pid))


def test_a_process_survives_being_written_down(sleeper: subprocess.Popen[bytes]) -> None:
    known = process(sleeper.pid)
    assert Process.model_validate_json(known.model_dump_json()) == known


def test_an_ended_process_is_dead_and_cannot_be_named(sleeper: subprocess.Popen[bytes]) -> None:
    known = process(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert is_proven_dead(known)
    with pytest.raises(psutil.NoSuchProcess):
        process(sleeper.pid)


def test_an_ended_process_that_nobody_waited_for_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    known = process(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE
    assert is_proven_dead(known)


@pytest.mark.parametrize(
    ("changes", "is_dead"),
    [
        ({"started": 1.0}, True),
        ({"boot_id": "an-earlier-boot"}, True),
        ({"boot_id": "an-earlier-boot", "pid_namespace": "pid:[1]"}, True),
        ({"host": "another-machine"}, False),
        ({"host": "another-machine", "boot_id": "another", "started": 1.0}, False),
        ({"pid_namespace": "pid:[1]"}, False),
        ({"pid_namespace": "pid:[1]", "started": 1.0}, False),
    ],
)
def test_a_reused_pid_or_an_earlier_boot_is_proof_and_another_machine_or_container_is_none(
    changes: dict[str, object], is_dead: bool
) -> None:
    assert is_proven_dead(process().model_copy(update=changes)) is is_dead


def test_a_process_stays_the_same_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux derives the time of the boot from the clock: counted from the epoch, every start moves with it."""
    known = process()
    created = psutil.Process.create_time
    if psutil.LINUX:
        monkeypatch.setattr(psutil.Process, "create_time", lambda self: created(self) + 1)
    assert process() == known
    assert not is_proven_dead(known)
