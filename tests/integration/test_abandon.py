"""Giving a batch up: void where nothing is committed, undone table by table where something is, finished by whoever comes next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from jobs.errors import StorageError, UsageError
from jobs.run import curate
from jobs.run.abandon import abandon
from jobs.run.write import write_table
from jobs.runtime.embedded_postgres import EmbeddedPostgres
from tests.integration.coupbot_system import CoupbotSystem


def all_but_channels(*arguments: Any) -> Any:
    """The quarantine and the roster are committed, the next table is not."""
    return fail() if arguments[-1] == "channels" else write_table(*arguments)


def fail(*_: Any, **__: Any) -> None:
    raise StorageError("Writing: expected room, got none. Free space.")


@pytest.fixture(scope="module")
def one_night(
    tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, postgres_server: EmbeddedPostgres
) -> CoupbotSystem:
    """One night applied, the second delivered; to be copied, not used."""
    home = tmp_path_factory.mktemp("one_night")
    found = CoupbotSystem(home, spark, postgres_server.url(f"abandon_{home.name}"))
    found.deliver("2024-03-01", "Ann,1\nBob,2")
    with pytest.raises(UsageError, match="got none"):
        abandon(found.context(), "snapshot", undo=False)
    assert found.run().exit_code == 0
    found.deliver("2024-03-02", "Ann,1\nBob,2\nCid,3")
    return found


@pytest.fixture
def system(one_night: CoupbotSystem, tmp_path: Path, postgres_server: EmbeddedPostgres) -> CoupbotSystem:
    """A copy with a warehouse of its own, which holds nothing yet."""
    shutil.copytree(one_night.home, tmp_path, dirs_exist_ok=True)
    return CoupbotSystem(tmp_path, one_night.spark, postgres_server.url(f"abandon_{tmp_path.name}"))


def test_a_batch_without_a_commit_becomes_void_and_is_taken_again(
    system: CoupbotSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(curate, "check", fail)
        assert system.run().exit_code == 1

    assert abandon(system.context(), "snapshot", undo=False) == 2

    assert system.run().exit_code == 0
    assert system.ended() == ["committed", "void", "committed"]
    assert system.members() == ["Ann", "Bob", "Cid"]


def test_a_batch_with_commits_is_only_undone_on_demand_and_wholly(
    system: CoupbotSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(curate, "write_table", all_but_channels)
        assert system.run().exit_code == 1
    with pytest.raises(UsageError, match="curated/coupbot/roster.*--undo"):
        abandon(system.context(), "snapshot", undo=False)
    assert system.members() == ["Ann", "Bob", "Cid"]

    assert abandon(system.context(), "snapshot", undo=True) == 2

    assert (system.members(), system.batches_of_members()) == (["Ann", "Bob"], {1})
    assert system.run().exit_code == 0
    assert system.ended() == ["committed", "void", "committed"]
    assert (system.members(), system.batches_of_members()) == (["Ann", "Bob", "Cid"], {3})


def test_the_next_run_finishes_an_undo_that_was_cut_off(system: CoupbotSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(curate, "write_table", all_but_channels)
        assert system.run().exit_code == 1
    restored = []
    restore = DeltaTable.restoreToVersion

    def restore_one(table: DeltaTable, version: int) -> Any:
        restored.append(version)
        return restore(table, version) if len(restored) == 1 else fail()

    with monkeypatch.context() as broken:
        broken.setattr(DeltaTable, "restoreToVersion", restore_one)
        with pytest.raises(StorageError):
            abandon(system.context(), "snapshot", undo=True)
    with pytest.raises(UsageError, match="undo has started"):
        abandon(system.context(), "snapshot", undo=False)

    report = system.run()

    assert report.exit_code == 0
    assert system.ended() == ["committed", "void", "committed"]
    assert (system.members(), system.batches_of_members()) == (["Ann", "Bob", "Cid"], {3})
