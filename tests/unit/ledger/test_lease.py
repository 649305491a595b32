"""One writer per feed: who gets the lease, who is refused and by which name, and when a dead holder's lease is taken over."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from jobs.errors import LeaseHeldError, StorageError
from jobs.ledger import lease
from jobs.ledger.lease import Holder, current_holder, held_lease, new_holder, refuse_if_held, release_of_the_dead
from jobs.runtime.processes import Process, process
from jobs.runtime.storage import Lake


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_DYING_SECONDS", 0.2)


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two living processes, ended with the test."""
    started = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    yield started
    for each in started:
        end(each)


def end(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()


def holding(python: Process, jvm: Process | None = None, run_id: str = "their-run") -> Holder:
    return new_holder(python, jvm, run_id, "tidemark run shop")


def held_by(sleepers: list[subprocess.Popen[bytes]]) -> Holder:
    """The first as its Python, the second as its JVM."""
    return holding(process(sleepers[0].pid), process(sleepers[1].pid))


def left_by(lake: Lake, holder: Holder, epoch: int = 1) -> None:
    """The lease of somebody else, who has not released it."""
    assert lake.create(f"ledger/shop/database/lease/{epoch:08d}.json", holder.to_json())


def take(lake: Lake, run_id: str = "my-run", said: list[str] | None = None, *, open_plan: bool = False) -> int:
    """Takes the lease and gives it back; the epoch."""
    mine, say = holding(process(), run_id=run_id), (said if said is not None else []).append
    with held_lease(lake, "shop", "database", mine, lambda: open_plan, say) as epoch:
        assert current_holder(lake, "shop", "database") == (epoch, mine)
    return epoch


# --- free, held, released ---------------------------------------------------------------------------------------------


def test_a_free_lease_is_taken_and_released_epoch_by_epoch(lake: Lake) -> None:
    assert current_holder(lake, "shop", "database") == (0, None)
    assert [take(lake) for _ in range(3)] == [1, 2, 3]
    assert current_holder(lake, "shop", "database") == (3, None)
    refuse_if_held(lake, "shop", "database")


def test_a_living_holder_is_named_and_left_alone(lake: Lake, sleepers: list[subprocess.Popen[bytes]]) -> None:
    python, jvm = (process(each.pid) for each in sleepers)
    theirs = holding(python, jvm)
    left_by(lake, theirs)
    named = (
        rf"run their-run on {python.host}, pid {python.pid} \(JVM pid {jvm.pid}\), since .* UTC\. Wait until it ends"
    )
    with pytest.raises(LeaseHeldError, match=named):
        refuse_if_held(lake, "shop", "database")
    with pytest.raises(LeaseHeldError, match=named):
        take(lake)
    assert current_holder(lake, "shop", "database") == (1, theirs)


def test_feeds_have_leases_of_their_own(lake: Lake, sleepers: list[subprocess.Popen[bytes]]) -> None:
    left_by(lake, holding(process(sleepers[0].pid)))
    refuse_if_held(lake, "shop", "data")
    with held_lease(lake, "shop", "data", holding(process()), lambda: False, print) as epoch:
        assert epoch == 1


def test_foreign_files_in_the_folder_are_no_lease(lake: Lake) -> None:
    for name in [".DS_Store", "notes.txt", "1.json", "00000007.json.bak"]:
        lake.create(f"ledger/shop/database/lease/{name}", b"x")
    assert take(lake) == 1


def test_a_lease_is_released_after_a_tidemark_error(lake: Lake) -> None:
    with pytest.raises(StorageError), held_lease(lake, "shop", "database", holding(process()), lambda: False, print):
        raise StorageError("the disk is full")
    assert current_holder(lake, "shop", "database") == (1, None)


def test_what_failed_first_is_told_when_the_release_fails_too(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk neither works; the end of this process frees the lease."""
    mine = holding(process())

    def full(path: str, content: bytes) -> bool:
        raise StorageError(f"no space for {path}")

    with (
        pytest.raises(StorageError, match="the first error"),
        held_lease(lake, "shop", "database", mine, lambda: False, print),
    ):
        monkeypatch.setattr(lake, "create", full)
        raise StorageError("the first error")
    assert current_holder(lake, "shop", "database") == (1, mine)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_a_lease_stays_after_anything_else(lake: Lake, error: type[BaseException]) -> None:
    """A commit may still be under way in the JVM."""
    mine = holding(process())
    with pytest.raises(error), held_lease(lake, "shop", "database", mine, lambda: False, print):
        raise error
    assert current_holder(lake, "shop", "database") == (1, mine)


# --- death ------------------------------------------------------------------------------------------------------------


def test_the_lease_of_a_dead_holder_is_taken_over_as_the_next_epoch(
    lake: Lake, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    left_by(lake, held_by(sleepers))
    for each in sleepers:
        end(each)
    said: list[str] = []
    refuse_if_held(lake, "shop", "database")
    assert take(lake, said=said) == 2
    assert said == [f"database: taking over from pid {sleepers[0].pid}, which is gone"]


def test_a_dead_python_whose_jvm_lives_keeps_the_lease_and_the_jvm_is_named(
    lake: Lake, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    left_by(lake, held_by(sleepers))
    end(sleepers[0])
    python, jvm = (each.pid for each in sleepers)
    with pytest.raises(LeaseHeldError, match=rf"pid {python} dead, but its JVM pid {jvm} .* End process {jvm}"):
        take(lake)
    assert current_holder(lake, "shop", "database")[0] == 1


def test_a_take_over_waits_until_the_jvm_of_a_dead_python_is_gone(
    lake: Lake, sleepers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_DYING_SECONDS", 60.0)
    left_by(lake, held_by(sleepers))
    end(sleepers[0])
    dying = threading.Timer(0.3, end, [sleepers[1]])
    dying.start()
    assert take(lake) == 2
    assert sleepers[1].returncode is not None
    dying.join()


@pytest.mark.parametrize(
    ("changes", "epoch"),
    [
        ({"host": "another-machine"}, None),
        ({"pid_namespace": "pid:[1]"}, None),
        ({"boot_id": "an-earlier-boot"}, 2),
        ({"started": 1.0}, 2),
    ],
)
def test_only_proof_of_death_frees_a_lease(lake: Lake, changes: dict[str, object], epoch: int | None) -> None:
    """Another machine or container: no proof. An earlier boot, or our own pid with another start: proof."""
    left_by(lake, holding(process().model_copy(update=changes)))
    if epoch is None:
        with pytest.raises(LeaseHeldError, match="Wait until it ends"):
            take(lake)
    else:
        assert take(lake) == epoch


@pytest.mark.parametrize(("is_s3", "open_plan", "waits"), [(True, True, [120.0]), (True, False, []), (False, True, [])])
def test_a_take_over_on_s3_waits_for_late_requests_of_an_open_batch(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, is_s3: bool, open_plan: bool, waits: list[float]
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(lake, "is_s3", is_s3)
    monkeypatch.setattr("jobs.ledger.lease.time.sleep", waited.append)
    left_by(lake, holding(process().model_copy(update={"started": 1.0})))
    assert take(lake, open_plan=open_plan) == 2
    assert waited == pytest.approx(waits, abs=1)


def test_a_lease_that_was_ended_by_proof_is_waited_for_from_the_time_of_the_proof(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(lake, "is_s3", True)
    monkeypatch.setattr("jobs.ledger.lease.time.sleep", waited.append)
    left_by(lake, holding(process().model_copy(update={"host": "another-machine"})))
    release_of_the_dead(lake, "shop", "database", 1, "step s-1 on j-1 is CANCELLED")
    release = lake.read("ledger/shop/database/lease/00000001.released.json") or b""
    assert b"s-1 on j-1 is CANCELLED" in release
    assert take(lake, open_plan=True) == 2
    assert waited == pytest.approx([120.0], abs=1)
    assert take(lake, open_plan=True) == 3
    assert len(waited) == 1


def test_a_proof_that_comes_after_the_holders_own_release_changes_nothing(lake: Lake) -> None:
    take(lake)
    release_of_the_dead(lake, "shop", "database", 1, "late")
    assert b"late" not in (lake.read("ledger/shop/database/lease/00000001.released.json") or b"")


# --- races ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("former", ["nobody", "a released one", "a dead one"])
def test_of_many_at_once_exactly_one_gets_the_lease(lake: Lake, former: str) -> None:
    for _ in range(10):
        epoch, _holder = current_holder(lake, "shop", "database")
        if former == "a dead one":
            left_by(lake, holding(process().model_copy(update={"started": 1.0})), epoch + 1)
        elif former == "a released one":
            take(lake)
        winners, losers = race(lake, 4)
        assert (len(winners), len(losers)) == (1, 3)
        assert all(f"run {winners[0]} on" in message for message in losers)


def race(lake: Lake, runs: int) -> tuple[list[str], list[str]]:
    """(run ids that got the lease, messages of the others); a winner holds it until all others have been refused."""
    start, all_tried = threading.Barrier(runs), threading.Semaphore(0)
    winners, losers = list[str](), list[str]()

    def acquire(run_id: str) -> None:
        mine = holding(process(), run_id=run_id)
        start.wait()
        with ExitStack() as stack:
            try:
                stack.enter_context(held_lease(lake, "shop", "database", mine, lambda: False, lambda _: None))
            except LeaseHeldError as error:
                losers.append(str(error))
                all_tried.release()
                return
            winners.append(run_id)
            for _ in range(runs - 1):
                if not all_tried.acquire(timeout=20):
                    break

    threads = [threading.Thread(target=acquire, args=(f"run-{number}",)) for number in range(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return winners, losers


def test_whoever_comes_too_late_is_told_to_try_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run took and released the epoch between our look and our claim."""
    looked = current_holder(lake, "shop", "database")
    take(lake, "quick-run")
    answers = iter([looked, current_holder(lake, "shop", "database")])
    monkeypatch.setattr(lease, "current_holder", lambda *_: next(answers))
    with (
        pytest.raises(LeaseHeldError, match="another run that took it first and has ended since. Run the same command"),
        held_lease(lake, "shop", "database", holding(process()), lambda: False, print),
    ):
        raise AssertionError
