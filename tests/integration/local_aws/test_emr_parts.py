"""What the embedded EMR stands on and needs no cluster: `--archives` of spark-submit, and the pinned jars of the S3 connector."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from infra.local import s3_connector
from infra.local.step_archives import without_archives
from jobs.errors import DownloadError

CONTENT = b"a jar"


@pytest.mark.parametrize(
    ("given", "kept", "archives"),
    [
        ("--archives s3://b/a.zip#a job.py", "job.py", ["s3://b/a.zip#a"]),
        ("--archives=s3://b/a.zip,s3://b/c.zip job.py x", "job.py x", ["s3://b/a.zip", "s3://b/c.zip"]),
        ("--verbose --conf k=v --archives s3://b/a.zip job.py", "--verbose --conf k=v job.py", ["s3://b/a.zip"]),
        ("--conf k=v job.py x --archives mine", "--conf k=v job.py x --archives mine", []),
    ],
)
def test_the_archives_are_those_before_the_job(given: str, kept: str, archives: list[str]) -> None:
    """Spark documentation, "Submitting Applications": options come before the application, its own arguments after it."""
    assert without_archives(given.split()) == (kept.split(), archives)


@pytest.fixture
def one_jar(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The connector is one jar, `a.jar`, and fetching notes where to."""
    fetched: list[Path] = []

    def fetch(folder: Path, cache: Path) -> None:
        (folder / "jars").mkdir()
        (folder / "jars" / "a.jar").write_bytes(CONTENT)
        fetched.append(folder)

    monkeypatch.setattr(s3_connector, "_DIGESTS", {"a.jar": hashlib.sha256(CONTENT).hexdigest()})
    monkeypatch.setattr(s3_connector, "_fetch", fetch)
    return fetched


def test_the_connector_is_fetched_once(one_jar: list[Path], tmp_path: Path) -> None:
    first, again = s3_connector.s3_connector(tmp_path), s3_connector.s3_connector(tmp_path)
    assert (first, again, len(one_jar)) == ([tmp_path / "s3-connector" / "a.jar"], first, 1)


def test_a_damaged_jar_is_fetched_again(one_jar: list[Path], tmp_path: Path) -> None:
    (path,) = s3_connector.s3_connector(tmp_path)
    path.write_bytes(b"half")
    s3_connector.s3_connector(tmp_path)
    assert path.read_bytes() == CONTENT


def test_another_jar_than_the_pinned_one_is_refused_and_not_kept(
    one_jar: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(s3_connector, "_DIGESTS", {"a.jar": hashlib.sha256(b"the pinned one").hexdigest()})
    with pytest.raises(DownloadError, match=r"\['a.jar'\]"):
        s3_connector.s3_connector(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
