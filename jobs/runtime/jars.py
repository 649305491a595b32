"""The Delta jars that no Python package holds: fetched once by coordinates, compared with the pinned digests, kept.

Spark's own Ivy fetches them, from wherever the user's Spark is set up to fetch; no address stands here. Spark would resolve again
at every start (2-3 s) and check no pinned digest, so sessions get files, never coordinates.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from jobs.errors import DownloadError, RuntimeMismatchError, StorageError
from jobs.runtime.java import find_java
from jobs.runtime.java_trust import PASSWORD, java_trust_store
from jobs.versions import DELTA_JARS, Jar


def user_cache() -> Path:
    """Where downloads are kept for all projects of this user: TIDEMARK_CACHE, else tidemark/ in the user's cache folder."""
    if given := os.environ.get("TIDEMARK_CACHE"):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "tidemark").absolute()


def spark_home() -> Path:
    """The Spark of this Python environment; a SPARK_HOME of another version must not decide. Raises: RuntimeMismatchError."""
    package = find_spec("pyspark")
    if package is None or package.origin is None:
        raise RuntimeMismatchError("Looking for Spark: expected the package pyspark, got none. Run `make setup`.")
    return Path(package.origin).parent


def delta_jars(cache: Path, jars: tuple[Jar, ...] = DELTA_JARS) -> list[Path]:
    """The files of `jars` in `cache`, each with its pinned digest. The network is used only while one of them is not there.

    Two processes at once may both fetch; each puts whole files in place, so neither sees half of one.
    Raises: DownloadError if they cannot be fetched or are not the pinned ones; StorageError if `cache` cannot be written.
    """
    kept = [cache / "jars" / jar.file_name for jar in jars]
    try:
        if all(path.is_file() and _sha256(path) == jar.sha256 for path, jar in zip(kept, jars, strict=True)):
            return kept
        (cache / "jars").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as folder:
            fetched = _fetch(jars, Path(folder), cache)
            for path, jar in zip(fetched, jars, strict=True):
                _require_pinned(path, jar)
            for path, place in zip(fetched, kept, strict=True):
                path.replace(place)
    except OSError as error:
        raise StorageError(
            f"Keeping the Delta jars in {cache}: expected a folder that can be written, got {str(error)!r}. "
            "Free space or restore access, or name another folder in TIDEMARK_CACHE."
        ) from error
    return kept


def _fetch(jars: tuple[Jar, ...], folder: Path, cache: Path) -> list[Path]:
    """The jars as Ivy left them below `folder`, which holds all of Ivy's state and goes with it."""
    command = [str(spark_home() / "bin" / "spark-submit"), "--master", "local", "--conf", f"spark.jars.ivy={folder}"]
    if trusted := java_trust_store(folder / "trusted.jks"):
        options = f'"-Djavax.net.ssl.trustStore={trusted}" -Djavax.net.ssl.trustStorePassword={PASSWORD}'
        command += ["--driver-java-options", options]
    command += ["--packages", ",".join(jar.coordinates for jar in jars)]
    # spark-submit resolves, then runs a class: printing its own version is the shortest job there is
    command += ["--class", "org.apache.spark.deploy.SparkSubmit", "spark-internal", "--version"]
    environment = {
        **os.environ,
        "JAVA_HOME": str(find_java(cache)),
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    fetched = [folder / "jars" / f"{jar.group}_{jar.file_name}" for jar in jars]
    if done.returncode != 0 or not all(path.is_file() for path in fetched):
        raise DownloadError(
            f"Fetching {', '.join(jar.coordinates for jar in jars)}: expected Spark's Ivy to deliver them, got "
            f"{_reason(done.stdout + done.stderr)!r}. Check the network, or name a mirror in DEFAULT_ARTIFACT_REPOSITORY, "
            "then run the same command again; they are fetched once."
        )
    return fetched


def _require_pinned(path: Path, jar: Jar) -> None:
    got = _sha256(path)
    if got != jar.sha256:
        raise DownloadError(
            f"Fetching {jar.coordinates}: expected SHA-256 {jar.sha256!r}, got {got!r}. It was not kept. Find out which "
            "mirror or local repository delivers another file under this name, then run the same command again."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(output: str) -> str:
    """The line of spark-submit's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("Server access error", "SSL", "unresolved dependency", "Exception"):
        for line in lines:
            if sign in line:
                return line[:300]
    return lines[-1][:300] if lines else "no output"
