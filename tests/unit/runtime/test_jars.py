"""The Delta jars are fetched once and are the pinned ones, or there are none."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import DownloadError, StorageError
from jobs.runtime import jars
from jobs.runtime.jars import delta_jars, user_cache
from jobs.runtime.java import find_java
from jobs.runtime.java_trust import PASSWORD, java_trust_store
from jobs.versions import DELTA_JARS, Jar

SMALL = DELTA_JARS[1]


def test_the_jars_of_the_cache_have_the_pinned_digests() -> None:
    found = [hashlib.sha256(path.read_bytes()).hexdigest() for path in delta_jars(user_cache())]
    assert found == [jar.sha256 for jar in DELTA_JARS]


def test_fetches_into_an_empty_cache_and_leaves_the_jar_alone_there(tmp_path: Path) -> None:
    (path,) = delta_jars(tmp_path / "a cache", (SMALL,))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SMALL.sha256
    files = [file for file in (tmp_path / "a cache").rglob("*") if file.is_file() and file.name != "java"]
    assert files == [path]


def test_uses_no_network_once_the_jars_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = delta_jars(tmp_path, (served(monkeypatch, b"jar"),))
    monkeypatch.setattr(jars, "_fetch", lambda *_: pytest.fail("fetched again"))
    assert delta_jars(tmp_path, (pinned(b"jar"),)) == first


def test_refuses_and_does_not_keep_a_jar_with_another_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served(monkeypatch, b"something else")
    with pytest.raises(DownloadError, match="expected SHA-256"):
        delta_jars(tmp_path, (pinned(b"jar"),))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_keeps_none_of_several_when_one_has_another_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = served(monkeypatch, b"jar")
    with pytest.raises(DownloadError, match="g:other:1"):
        delta_jars(tmp_path, (good, replace(pinned(b"not that"), artifact="other")))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_replaces_a_jar_that_was_damaged_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jar = served(monkeypatch, b"jar")
    (path,) = delta_jars(tmp_path, (jar,))
    path.write_bytes(b"ja")
    assert delta_jars(tmp_path, (jar,)) == [path]
    assert path.read_bytes() == b"jar"


def test_several_at_once_all_get_whole_jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jar = served(monkeypatch, b"jar" * 100_000, at_once=threading.Barrier(8))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: delta_jars(tmp_path, (jar,)), range(8)))
    assert found == [[tmp_path / "jars" / jar.file_name]] * 8
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == found[0]


def test_names_the_coordinates_that_nobody_has(tmp_path: Path) -> None:
    nothing = Jar("io.delta", "delta-storage", "0.0.0-nothing", "")
    with pytest.raises(DownloadError, match=r"io.delta:delta-storage:0.0.0-nothing: expected Spark's Ivy .*got '.+'"):
        delta_jars(tmp_path, (nothing,))


def test_names_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="TIDEMARK_CACHE"):
        delta_jars(tmp_path / "cache", (SMALL,))


def test_the_cache_is_where_the_variables_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TIDEMARK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_cache() == tmp_path / ".cache" / "tidemark"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert user_cache() == tmp_path / "xdg" / "tidemark"
    monkeypatch.setenv("TIDEMARK_CACHE", str(tmp_path / "own"))
    assert user_cache() == tmp_path / "own"


def test_java_reads_the_trust_store(tmp_path: Path) -> None:
    store = java_trust_store(tmp_path / "trusted.jks")
    assert store is not None
    keytool = [
        "-m",
        "java.base/sun.security.tools.keytool.Main",
        "-list",
        "-keystore",
        str(store),
        "-storepass",
        PASSWORD,
    ]
    program = find_java(tmp_path) / "bin" / "java"
    listed = subprocess.run([program, *keytool], capture_output=True, text=True, check=True).stdout
    assert listed.count("trustedCertEntry") == store.read_bytes().count(b"X.509") > 0


def pinned(content: bytes) -> Jar:
    return Jar("g", "a", "1", hashlib.sha256(content).hexdigest())


def served(monkeypatch: pytest.MonkeyPatch, content: bytes, at_once: threading.Barrier | None = None) -> Jar:
    """Everything that is fetched from now on has `content`; the jar that it is right for. No fetch ends before all `at_once` do."""

    def fetch(wanted: tuple[Jar, ...], folder: Path, _cache: Path) -> list[Path]:
        for jar in wanted:
            (folder / jar.file_name).write_bytes(content)
        if at_once:
            at_once.wait(60)
        return [folder / jar.file_name for jar in wanted]

    monkeypatch.setattr(jars, "_fetch", fetch)
    return pinned(content)
