"""The cause of a failed step is found in its logs, and no secret is shown."""

from __future__ import annotations

import pytest

from jobs.emr.logs import redacted, root_cause

PYTHON = """\
Traceback (most recent call last):
  File "launch.py", line 1, in <module>
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "launch.py", line 2, in <module>
botocore.exceptions.NoCredentialsError: Unable to locate credentials
24/03/02 INFO ShutdownHookManager: Shutdown hook called
"""
JAVA = """\
py4j.protocol.Py4JJavaError: An error occurred while calling o1.save.
: org.apache.spark.SparkException: Job aborted.
\tat org.apache.spark.Some.run(Some.scala:1)
Caused by: java.io.IOException: No space left on device
\tat java.base/java.io.FileOutputStream.write(FileOutputStream.java:1)
"""


def test_our_own_message_comes_before_any_exception() -> None:
    assert root_cause(f"{PYTHON}error: Landing shop: expected a file, got none. Deliver it.\n{JAVA}") == (
        "Landing shop: expected a file, got none. Deliver it."
    )


def test_a_message_is_told_with_the_lines_that_belong_to_it() -> None:
    told = "error: Reading the configuration: got 1 problem.\nconf/x.yaml\n"
    assert root_cause("error: Reading: got 1 problem.\n    line 3: expected a, got b\nINFO done\n") == (
        "Reading: got 1 problem.\n    line 3: expected a, got b"
    )
    assert root_cause(told) == "Reading the configuration: got 1 problem."


def test_every_message_is_told_once() -> None:
    assert root_cause("error: first\nerror: second\nerror: first\n") == "first\nsecond"


def test_else_it_is_the_last_exception_of_python() -> None:
    assert root_cause(PYTHON) == "botocore.exceptions.NoCredentialsError: Unable to locate credentials"


def test_else_it_is_the_last_cause_of_java() -> None:
    assert root_cause(JAVA) == "Caused by: java.io.IOException: No space left on device"


def test_stdout_is_looked_at_too() -> None:
    assert root_cause("INFO fine\n", PYTHON) == "botocore.exceptions.NoCredentialsError: Unable to locate credentials"


def test_a_log_without_an_error_tells_no_cause() -> None:
    assert root_cause("24/03/02 WARN Utils: this is no Error: at all\n") is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "could not connect to postgresql://shop:hunter2@db/shop",
            "could not connect to postgresql://shop:***@db/shop",
        ),
        ("password=hunter2 host=db", "password=*** host=db"),
        ('{"password": "hunter2", "host": "db"}', '{"password": "***", "host": "db"}'),
        ("PGPASSWORD=hunter2", "PGPASSWORD=***"),
        ("X-Amz-Security-Token=hunter2&X=1", "X-Amz-Security-Token=***&X=1"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("Reading secret tidemark-dev/shop: expected it", "Reading secret tidemark-dev/shop: expected it"),
        ("s3://lake/ledger/shop", "s3://lake/ledger/shop"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert redacted(text) == shown
