"""How transactions of Redshift meet: one test per rule of AWS's documents."""

from __future__ import annotations

from tests.integration.local_aws.redshift.conftest import Pause
from tests.integration.local_aws.redshift.data_api import Redshift

ADD_IF_NONE = "INSERT INTO {s}.t SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM {s}.t WHERE id = 1)"


def test_truncate_commits_the_transaction_in_which_it_runs(redshift: Redshift) -> None:
    """ "TRUNCATE": commits the transaction in which it is run; therefore, you can't roll back a TRUNCATE operation."""
    redshift.run(["CREATE TABLE {s}.t (id INT)", "CREATE TABLE {s}.other (id INT)", "INSERT INTO {s}.t VALUES (1)"])
    told = redshift.try_(
        ["INSERT INTO {s}.other VALUES (2)", "TRUNCATE {s}.t", "INSERT INTO {s}.t VALUES (3)", "SELECT * FROM nowhere"]
    )
    assert told["Status"] == "FAILED"
    assert redshift.rows("SELECT * FROM {s}.other") == [(2,)]
    assert redshift.rows("SELECT * FROM {s}.t") == [(3,)]


def test_append_cannot_run_in_a_batch(redshift: Redshift) -> None:
    """ "ALTER TABLE APPEND": you can't run ALTER TABLE APPEND within a transaction block (BEGIN ... END)."""
    redshift.run(["CREATE TABLE {s}.t (id INT)", "CREATE TABLE {s}.u (id INT)", "INSERT INTO {s}.u VALUES (1)"])
    told = redshift.error(["INSERT INTO {s}.t VALUES (2)", "ALTER TABLE {s}.t APPEND FROM {s}.u"])
    assert "ALTER TABLE APPEND cannot run inside a transaction block" in told
    assert redshift.rows("SELECT * FROM {s}.t") == []


def test_append_alone_moves_the_rows(redshift: Redshift) -> None:
    """ "ALTER TABLE APPEND": after data is successfully appended to the target table, the source table is empty."""
    redshift.run(["CREATE TABLE {s}.t (id INT, v INT)", "CREATE TABLE {s}.u (v INT, id INT)"])
    redshift.run("INSERT INTO {s}.u VALUES (20, 2)")
    redshift.run("ALTER TABLE {s}.t APPEND FROM {s}.u")
    assert redshift.rows("SELECT id, v FROM {s}.t") == [(2, 20)]
    assert redshift.rows("SELECT * FROM {s}.u") == []


def test_a_column_cannot_be_widened_in_a_batch(redshift: Redshift) -> None:
    """ "ALTER TABLE": you can't alter a column's size within a transaction block (BEGIN ... END)."""
    redshift.run("CREATE TABLE {s}.t (v VARCHAR(2))")
    widen = "ALTER TABLE {s}.t ALTER COLUMN v TYPE VARCHAR(4)"
    assert "cannot run inside a transaction block" in redshift.error([widen])
    redshift.run(widen)
    redshift.run("INSERT INTO {s}.t VALUES ('éé')")


def test_readers_see_the_last_commit_and_do_not_wait(redshift: Redshift, pause: Pause) -> None:
    """ "Managing concurrent write operations": queries simply see the latest committed version, or snapshot, of the data."""
    redshift.run(["CREATE TABLE {s}.t (id INT)", "INSERT INTO {s}.t VALUES (1)"])
    writer = redshift.start(["DELETE FROM {s}.t", "INSERT INTO {s}.t VALUES (2)", "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    assert redshift.rows("SELECT * FROM {s}.t") == [(1,)]
    pause.release()
    redshift.ended(writer)
    assert redshift.rows("SELECT * FROM {s}.t") == [(2,)]


def test_writers_of_a_table_wait_for_each_other(redshift: Redshift, pause: Pause) -> None:
    """ "Write and read/write operations": a write waits until the transaction that holds the table's write lock has ended."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    first = redshift.start(["INSERT INTO {s}.t VALUES (1)", "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    second = redshift.start("INSERT INTO {s}.t VALUES (2)")
    redshift.wait_until_one_waits_for_a_lock()
    pause.release()
    assert redshift.ended(first)["UpdatedAt"] <= redshift.ended(second)["UpdatedAt"]
    assert redshift.rows("SELECT COUNT(*) FROM {s}.t") == [(2,)]


def test_changing_what_another_transaction_changed_fails_with_1023(redshift: Redshift, pause: Pause) -> None:
    """ "Troubleshooting serializable isolation errors": ERROR:1023 DETAIL: Serializable isolation violation on a table."""
    redshift.run(["CREATE TABLE {s}.t (id INT, v INT)", "INSERT INTO {s}.t VALUES (1, 0)"])
    first = redshift.start(["UPDATE {s}.t SET v = v + 1", "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    second = redshift.start("UPDATE {s}.t SET v = v + 1")
    redshift.wait_until_one_waits_for_a_lock()
    pause.release()
    redshift.ended(first)
    told = redshift.ended(second)["Error"]
    assert told.startswith("ERROR: 1023\n  Detail: Serializable isolation violation on table - ")
    assert redshift.rows("SELECT v FROM {s}.t") == [(1,)]


def test_insert_where_not_exists_doubles_under_snapshot_isolation(redshift: Redshift, pause: Pause) -> None:
    """ "Isolation levels in Amazon Redshift": under SNAPSHOT each transaction sees the data as of its start, and only changes of the
    same rows conflict."""
    redshift.run("CREATE TABLE {s}.t (id INT, v INT)")
    first = redshift.start([ADD_IF_NONE, "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    second = redshift.start([ADD_IF_NONE])
    redshift.wait_until_one_waits_for_a_lock()
    pause.release()
    assert [redshift.ended(each)["Status"] for each in (first, second)] == ["FINISHED", "FINISHED"]
    assert redshift.rows("SELECT COUNT(*) FROM {s}.t") == [(2,)]


def test_lock_first_makes_a_transaction_see_what_it_waited_for(redshift: Redshift, pause: Pause) -> None:
    """ "LOCK", with "Isolation levels …": the snapshot is taken by the first query or change; LOCK is neither."""
    redshift.run("CREATE TABLE {s}.t (id INT, v INT)")
    first = redshift.start(["LOCK {s}.t", ADD_IF_NONE, "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    second = redshift.start(["LOCK TABLE {s}.t", ADD_IF_NONE])
    redshift.wait_until_one_waits_for_a_lock()
    pause.release()
    assert [redshift.ended(each)["Status"] for each in (first, second)] == ["FINISHED", "FINISHED"]
    assert redshift.rows("SELECT COUNT(*) FROM {s}.t") == [(1,)]


def test_a_lock_does_not_help_against_a_writer_that_takes_none(redshift: Redshift, pause: Pause) -> None:
    """ "Isolation levels …": a snapshot is taken on the first occurrence of most statements, before the wait for the lock."""
    redshift.run("CREATE TABLE {s}.t (id INT, v INT)")
    first = redshift.start(["LOCK {s}.t", ADD_IF_NONE, "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    second = redshift.start([ADD_IF_NONE])
    redshift.wait_until_one_waits_for_a_lock()
    pause.release()
    assert [redshift.ended(each)["Status"] for each in (first, second)] == ["FINISHED", "FINISHED"]
    assert redshift.rows("SELECT COUNT(*) FROM {s}.t") == [(2,)]


def test_a_locked_table_cannot_be_read(redshift: Redshift, pause: Pause) -> None:
    """ "LOCK": restricts access to a database table; only in ACCESS EXCLUSIVE mode."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    locking = redshift.start(["LOCK {s}.t", "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    reading = redshift.start("SELECT * FROM {s}.t")
    redshift.wait_until_one_waits_for_a_lock()
    pause.release()
    assert redshift.ended(locking)["UpdatedAt"] <= redshift.ended(reading)["UpdatedAt"]
