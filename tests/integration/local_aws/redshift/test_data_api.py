"""The calls of the Redshift Data API: one test per rule of AWS's documents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from secrets import token_hex
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import redshift_data, redshift_results
from tests.integration.local_aws.redshift.conftest import Depot, Pause, make_role
from tests.integration.local_aws.redshift.data_api import CLUSTER, DATABASE, WORKGROUP, Redshift

Move = Callable[[timedelta], None]


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[str, str]:
    """Code and message with which the API refuses a call."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **named)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def test_a_statement_starts_without_being_waited_for(redshift: Redshift, pause: Pause) -> None:
    """ "Using the Amazon Redshift Data API": calls to the Data API are asynchronous."""
    started = redshift.start("SELECT 1 -- pause")
    assert pause.reached.wait(60)
    assert redshift.api.describe_statement(Id=started)["Status"] == "STARTED"
    pause.release()
    assert redshift.ended(started)["Status"] == "FINISHED"


def test_a_description_tells_who_ran_what_where(redshift: Redshift) -> None:
    """API reference, "DescribeStatement"."""
    told = redshift.run("CREATE TABLE {s}.t (id INT)", StatementName="x")
    assert (told["Database"], told["DbUser"], told["WorkgroupName"]) == (DATABASE, "boss", WORKGROUP)
    assert told["QueryString"] == f"CREATE TABLE {redshift.schema}.t (id INT)"
    assert told["CreatedAt"] <= told["UpdatedAt"]
    assert (told["HasResultSet"], told["ResultRows"], told["ResultSize"]) == (False, 0, 0)


def test_a_batch_is_one_transaction(redshift: Redshift) -> None:
    """API reference, "BatchExecuteStatement": if any SQL statement fails, all work is rolled back."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    told = redshift.try_(["INSERT INTO {s}.t VALUES (1)", "SELECT * FROM {s}.nowhere", "SELECT 1"])
    assert told["Error"].startswith('Query #2 failed with ERROR: relation "')
    assert [step["Status"] for step in told["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert redshift.rows("SELECT * FROM {s}.t") == []


def test_a_batch_has_at_most_40_statements(redshift: Redshift) -> None:
    """API reference, "BatchExecuteStatement", Sqls: maximum number of 40 items."""
    assert len(redshift.run(["SELECT 1"] * 40)["SubStatements"]) == 40
    code, message = refusal(redshift.start, ["SELECT 1"] * 41)
    assert code == "ValidationException"
    assert "less than or equal to 40" in message


def test_a_statement_has_at_most_100_kb(redshift: Redshift) -> None:
    """ "Considerations when calling the Amazon Redshift Data API": the maximum query statement size is 100 KB."""
    longest = "SELECT 1 --" + "é" * ((100 * 1024 - 11) // 2)
    redshift.run(longest)
    assert refusal(redshift.start, longest + "éé")[0] == "ValidationException"


def test_a_text_is_one_statement(redshift: Redshift) -> None:
    """API reference, "ExecuteStatement": this statement must be a single SQL statement."""
    redshift.run("SELECT 'a;b';")
    assert refusal(redshift.start, "SELECT 1; SELECT 2") == (
        "ValidationException",
        "Multiple sql statements are not allowed.",
    )


def test_a_client_token_runs_once_in_8_hours(redshift: Redshift, move_clock: Move) -> None:
    """API reference, "ExecuteStatement", ClientToken, with "Considerations …": a token holds for 8 hours."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    token, insert = token_hex(8), "INSERT INTO {s}.t VALUES (1)"
    first = redshift.run(insert, ClientToken=token)["Id"]
    move_clock(timedelta(hours=7, minutes=59))
    assert redshift.run(insert, ClientToken=token)["Id"] == first
    move_clock(timedelta(hours=8, minutes=1))
    assert redshift.run(insert, ClientToken=token)["Id"] != first
    assert redshift.rows("SELECT COUNT(*) FROM {s}.t") == [(2,)]


def test_results_are_kept_for_24_hours(redshift: Redshift, move_clock: Move) -> None:
    """ "Considerations …": the maximum retention time for query results is 24 hours."""
    id_ = redshift.run("SELECT 1")["Id"]
    move_clock(timedelta(hours=23, minutes=59))
    assert redshift.result(id_) == [(1,)]
    move_clock(timedelta(hours=24, minutes=1))
    assert refusal(redshift.result, id_)[0] == "ResourceNotFoundException"
    assert refusal(redshift.api.describe_statement, Id=id_)[0] == "ResourceNotFoundException"


def test_a_result_beyond_the_limit_fails_its_statement(redshift: Redshift, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Troubleshooting issues for Amazon Redshift Data API", "Database response exceeded size limit"."""
    monkeypatch.setattr(redshift_results, "LARGEST_RESULT_BYTES", 3)
    assert redshift.rows("SELECT 'abc'") == [("abc",)]
    assert "Database response exceeded size limit" in redshift.error("SELECT 'abcd'")


def test_a_row_beyond_64_kb_fails_its_statement(redshift: Redshift) -> None:
    """ "Troubleshooting issues for Amazon Redshift Data API", "Packet for query is too large"."""
    assert "Packet for query is too large" in redshift.error("SELECT REPEAT('a', 65536), 'b'")


def test_a_result_comes_in_pages(redshift: Redshift, monkeypatch: pytest.MonkeyPatch) -> None:
    """API reference, "GetStatementResult", NextToken."""
    monkeypatch.setattr(redshift_data, "PAGE_BYTES", 2)
    id_ = redshift.run("SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3 ORDER BY n")["Id"]
    page = redshift.api.get_statement_result(Id=id_)
    assert (len(page["Records"]), page["TotalNumRows"], "NextToken" in page) == (2, 3, True)
    assert redshift.result(id_) == [(1,), (2,), (3,)]


def test_fields_are_typed(redshift: Redshift) -> None:
    """API reference, "Field": a union of isNull, booleanValue, longValue, doubleValue, stringValue and blobValue."""
    told = redshift.run(
        "SELECT CAST(1 AS SMALLINT) AS i, CAST(1.5 AS DOUBLE PRECISION) AS d, TRUE AS b, CAST(1.5 AS DECIMAL(10, 2)) AS n, 'é' AS v, "
        "CAST('2026-01-02 03:04:05.678901' AS TIMESTAMP) AS t, CAST('2026-01-02' AS DATE) AS a, CAST(NULL AS INT) AS x"
    )
    page = redshift.api.get_statement_result(Id=told["Id"])
    assert page["Records"] == [
        [
            {"longValue": 1},
            {"doubleValue": 1.5},
            {"booleanValue": True},
            {"stringValue": "1.50"},
            {"stringValue": "é"},
            {"stringValue": "2026-01-02 03:04:05.678901"},
            {"stringValue": "2026-01-02"},
            {"isNull": True},
        ]
    ]
    assert [(column["name"], column["typeName"]) for column in page["ColumnMetadata"]] == [
        *[("i", "int2"), ("d", "float8"), ("b", "bool"), ("n", "numeric"), ("v", "varchar")],
        *[("t", "timestamp"), ("a", "date"), ("x", "int4")],
    ]


def test_a_batch_has_a_result_for_each_statement(redshift: Redshift) -> None:
    """API reference, "GetStatementResult", Id: a suffix indicates the number of the SQL statement."""
    told = redshift.run(["SELECT 1", "CREATE TABLE {s}.t (id INT)", "SELECT 3"])
    assert redshift.result(told["SubStatements"][2]["Id"]) == [(3,)]
    assert [step["HasResultSet"] for step in told["SubStatements"]] == [True, False, True]
    code, message = refusal(redshift.result, told["Id"])
    assert (code, "sub-statement id" in message) == ("ValidationException", True)


def test_a_statement_without_rows_has_no_result(redshift: Redshift) -> None:
    """API reference, "GetStatementResult", ResourceNotFoundException."""
    id_ = redshift.run("CREATE TABLE {s}.t (id INT)")["Id"]
    assert refusal(redshift.result, id_)[0] == "ResourceNotFoundException"


def test_a_cancelled_statement_is_aborted_and_rolled_back(redshift: Redshift, pause: Pause) -> None:
    """API reference, "CancelStatement"; "DescribeStatement", Status: ABORTED, the query run was stopped by the user."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    id_ = redshift.start(["INSERT INTO {s}.t VALUES (1)", "SELECT 1 -- pause", "SELECT 2"])
    assert pause.reached.wait(60)
    assert redshift.api.cancel_statement(Id=id_)["Status"] is True
    pause.release()
    told = redshift.ended(id_)
    assert (told["Status"], told["SubStatements"][2]["Status"]) == ("ABORTED", "ABORTED")
    assert redshift.rows("SELECT * FROM {s}.t") == []


def test_a_statement_that_waits_for_a_lock_can_be_cancelled(redshift: Redshift, pause: Pause) -> None:
    """API reference, "CancelStatement": cancels a running query."""
    redshift.run("CREATE TABLE {s}.t (id INT)")
    holder = redshift.start(["LOCK {s}.t", "SELECT 1 -- pause"])
    assert pause.reached.wait(60)
    waiting = redshift.start("SELECT * FROM {s}.t")
    redshift.wait_until_one_waits_for_a_lock()
    redshift.api.cancel_statement(Id=waiting)
    assert redshift.ended(waiting)["Status"] == "ABORTED"
    pause.release()
    assert redshift.ended(holder)["Status"] == "FINISHED"


def test_what_has_ended_cannot_be_cancelled(redshift: Redshift) -> None:
    """API reference, "CancelStatement": to be canceled, a query must be running."""
    id_ = redshift.run("SELECT 1")["Id"]
    assert refusal(redshift.api.cancel_statement, Id=id_)[0] == "ValidationException"


def test_the_list_has_finished_statements_newest_first(redshift: Redshift) -> None:
    """API reference, "ListStatements": by default, only finished statements are shown; StatementName is a prefix."""
    name = token_hex(8)
    ids = [redshift.run("SELECT 1", StatementName=f"{name}-{n}")["Id"] for n in range(3)]
    redshift.error("SELECT 1 FROM nowhere", StatementName=f"{name}-failed")
    first = redshift.api.list_statements(StatementName=name, MaxResults=2)
    rest = redshift.api.list_statements(StatementName=name, MaxResults=2, NextToken=first["NextToken"])
    assert [each["Id"] for each in first["Statements"] + rest["Statements"]] == ids[::-1]
    assert len(redshift.api.list_statements(StatementName=name, Status="FAILED")["Statements"]) == 1


def test_parameters_are_values(redshift: Redshift) -> None:
    """API reference, "SqlParameter": Amazon Redshift implicitly converts to the proper data type."""
    given = [{"name": "n", "value": "2"}, {"name": "v", "value": "it's :n \\ %"}]
    assert redshift.rows("SELECT :v AS v, CAST(:n AS INT) + 1 AS n, ':n' AS t", Parameters=given) == [
        ("it's :n \\ %", 3, ":n")
    ]


def test_parameters_cannot_name_tables(redshift: Redshift) -> None:
    """ "Running SQL statements with parameters when calling the Amazon Redshift Data API": values only, no names."""
    redshift.error("SELECT * FROM :t", Parameters=[{"name": "t", "value": "x"}])


def test_an_unused_parameter_is_refused(redshift: Redshift) -> None:
    """API reference, "BatchExecuteStatement", Parameters: each must be referenced by at least one SQL statement."""
    code, message = refusal(redshift.start, "SELECT 1", Parameters=[{"name": "n", "value": "2"}])
    assert (code, "unused parameters" in message) == ("ValidationException", True)


@pytest.mark.parametrize(
    "change",
    [{"WorkgroupName": "elsewhere"}, {"SecretArn": "nobody"}, {"ClusterIdentifier": CLUSTER}],
    ids=["unknown workgroup", "unknown secret", "two warehouses"],
)
def test_a_warehouse_and_a_secret_have_to_exist(redshift: Redshift, change: dict[str, str]) -> None:
    """API reference, "ExecuteStatement", WorkgroupName and SecretArn."""
    assert refusal(redshift.start, "SELECT 1", **change)[0] == "ValidationException"


def test_a_wrong_password_fails_the_statement(redshift: Redshift) -> None:
    """ "Storing database credentials in AWS Secrets Manager": the secret's user and password log in."""
    secret = redshift.aws.client("secretsmanager").create_secret(
        Name=token_hex(8), SecretString='{"username": "boss", "password": "wrong"}'
    )["ARN"]
    assert "password authentication failed" in redshift.error("SELECT 1", SecretArn=secret)


def test_an_unknown_database_fails_the_statement(redshift: Redshift) -> None:
    """API reference, "ExecuteStatement", Database."""
    assert 'database "elsewhere" does not exist' in redshift.error("SELECT 1", Database="elsewhere")


def test_a_cluster_is_a_warehouse_of_its_own(redshift: Redshift) -> None:
    """API reference, "ExecuteStatement", ClusterIdentifier."""
    where = {"ClusterIdentifier": CLUSTER, "Database": DATABASE}
    id_ = redshift.api.execute_statement(Sql="SELECT current_user", **where)["Id"]
    told = redshift.ended(id_)
    assert (told["ClusterIdentifier"], told["DbUser"]) == (CLUSTER, "IAM:engineer")
    assert redshift.result(id_) == [("IAM:engineer",)]


def test_a_tagged_role_logs_in_with_its_database_roles(redshift: Redshift, depot: Depot) -> None:
    """ "Defining database roles to grant to federated users in Amazon Redshift Serverless": the tag RedshiftDbRoles."""
    db_role, iam_role = f"r{token_hex(4)}", f"loader-{token_hex(4)}"
    redshift.run("CREATE TABLE {s}.t (id INT)")
    redshift.run(f"CREATE ROLE {db_role}")
    redshift.run(f"GRANT USAGE ON SCHEMA {{s}} TO ROLE {db_role}")
    redshift.run(f"GRANT SELECT ON {{s}}.t TO ROLE {db_role}")
    arn = make_role(depot.aws, iam_role, "*")
    loader = Redshift(depot.aws.as_role(arn), "", None, redshift.schema)
    assert "permission denied" in loader.error("SELECT * FROM {s}.t")
    depot.aws.client("iam").tag_role(RoleName=iam_role, Tags=[{"Key": "RedshiftDbRoles", "Value": f"nobody:{db_role}"}])
    told = loader.run("SELECT * FROM {s}.t")
    assert told["DbUser"] == f"IAMR:{iam_role}"
