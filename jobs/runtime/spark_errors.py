"""What Spark throws, as an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from jobs.errors import SparkJobError, StorageError


@contextmanager
def spark_errors(doing: str) -> Iterator[None]:
    """Turns the failure of a Spark statement into a Tidemark error. A lost connection to the JVM is let through: what the JVM still
    does is then unknown, and the feed's lease must not be released."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        reason = _reason(error)
        if "No space left on device" in str(error):
            raise StorageError(
                f"{doing}: expected room on the disk, got {reason!r}. Free space, then run the same command again; it goes on "
                "where it stopped and nothing half-written counts."
            ) from error
        raise SparkJobError(
            f"{doing}: expected Spark to finish, got {reason!r}. Run the same command again: it goes on where it stopped. "
            "If it fails again, report this together with Spark's log."
        ) from error


def _reason(error: PySparkException | Py4JJavaError) -> str:
    """The innermost cause in one line, without the stack: of a Python task the exception, which ends its traceback."""
    text = str(error)
    innermost = text.rsplit("Caused by: ", 1)[-1].split("\n\tat ", 1)[0]
    lines = [line.strip() for line in innermost.splitlines() if line.strip()]
    chosen = lines[-1:] if "Traceback" in innermost else lines[:1]
    return chosen[0][:300] if chosen else type(error).__name__
