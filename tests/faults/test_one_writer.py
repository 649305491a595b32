"""One writer per feed: a second run is refused by name, and a killed driver counts as dead only when its JVM is gone too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.faults.conftest import Prepared
from tests.faults.system import System


def test_of_two_runs_at_once_one_is_refused_by_name_and_nothing_is_doubled(
    prepared: Callable[[str], Prepared], home: Path
) -> None:
    expected = prepared("stackoverflow")
    system = expected.before.copy(home)

    runs = [system.start("run", "stackoverflow", "--as-of", "2024-04-01") for _ in range(2)]
    ended = [(run.communicate(timeout=300)[1], run.returncode, run.pid) for run in runs]

    assert sorted(code for _, code, _ in ended) == [0, 1], ended
    refusal = next(text for text, code, _ in ended if code == 1)
    winner = next(pid for _, code, pid in ended if code == 0)
    assert "lease of stackoverflow/database" in refusal and f"pid {winner}" in refusal
    system.run("stackoverflow")
    assert system.contents("stackoverflow") == expected.contents


def test_a_killed_driver_whose_jvm_lives_is_not_proven_dead(prepared: Callable[[str], Prepared], home: Path) -> None:
    expected = prepared("stackoverflow")
    system = expected.before.copy(home)
    run = system.start("run", "stackoverflow", "--as-of", "2024-04-01")
    jvm = _jvm_once_the_batch_is_claimed(system, run.pid)
    os.kill(jvm, signal.SIGSTOP)  # a JVM that hangs does not notice that its driver is gone
    try:
        run.kill()
        run.communicate(timeout=60)

        refused = system.call("run", "stackoverflow", "--as-of", "2024-04-01")

        assert refused.returncode == 1 and f"JVM pid {jvm}" in refused.stderr, refused.stderr
    finally:
        os.kill(jvm, signal.SIGKILL)
    system.run("stackoverflow")
    assert system.contents("stackoverflow") == expected.contents


def _jvm_once_the_batch_is_claimed(system: System, driver: int) -> int:
    ledger = system.home / "lake/ledger/stackoverflow/database"
    for _ in range(600):
        if (ledger / "00000002.plan.json").exists():
            (jvm,) = [child.pid for child in psutil.Process(driver).children() if child.name() == "java"]
            return jvm
        time.sleep(0.1)
    raise AssertionError("the run claimed nothing within a minute")
