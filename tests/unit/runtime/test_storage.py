"""The lake on disk: nothing is overwritten, what is listed can be read, and what fails says what to do."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.errors import StorageError
from jobs.runtime.storage import Lake

ODD_KEYS = [
    "a b.csv",
    "100%.csv",
    "%20.csv",
    "%2F.csv",
    "é漢😀.csv",
    "e\u0301.csv",
    "#?&=+.csv",
    "[x]{y}~.csv",
    "\"'`.csv",
    "*.csv",
]
ODD_KEYS += ["..x", ".hidden", "back\\slash", "a:b|c<d>", " x ", "date=2024-01-01", "_x", "CON", "x#y.csv"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


# --- put if absent ----------------------------------------------------------------------------------------------------


def test_never_overwrites(lake: Lake) -> None:
    assert lake.create("a/b.json", b"first") is True
    assert lake.create("a/b.json", b"second") is False
    assert lake.read("a/b.json") == b"first"


def test_of_many_writers_one_wins_with_its_whole_content(lake: Lake) -> None:
    for number in range(10):
        start, results = threading.Barrier(8), dict[int, bool]()
        path = f"ledger/{number}.json"

        def put(
            writer: int, path: str = path, start: threading.Barrier = start, results: dict[int, bool] = results
        ) -> None:
            content = bytes([writer]) * 100_000
            start.wait()
            results[writer] = lake.create(path, content)

        threads = [threading.Thread(target=put, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [writer for writer, is_first in results.items() if is_first]
        assert lake.read(path) == bytes([winner]) * 100_000
        assert len(results) == 8


def test_a_memo_takes_the_place_of_the_one_before_it(lake: Lake) -> None:
    for content in (b"a long first memo", b"short", b""):
        lake.put_memo("ledger/looked.json", content)
        assert lake.read("ledger/looked.json") == content
    assert lake.create("ledger/looked.json", b"x") is False


# --- odd keys ---------------------------------------------------------------------------------------------------------


def test_what_is_listed_can_be_read_under_the_key_that_was_created(lake: Lake) -> None:
    keys = sorted(f"raw/shop x%/{key}" for key in ODD_KEYS)
    assert all(lake.create(key, key.encode()) for key in keys)
    listed = lake.objects("raw/shop x%")
    assert [stored.key for stored in listed] == keys
    assert [lake.read(stored.key) for stored in listed] == [key.encode() for key in keys]
    assert [lake.open(stored.key).read() for stored in listed] == [key.encode() for key in keys]
    assert [lake.head(stored.key) for stored in listed] == listed
    assert not any(lake.create(key, b"again") for key in keys)


def test_what_others_delivered_is_listed_under_its_own_name(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "lake/raw/shop x%"
    folder.mkdir(parents=True)
    for key in ODD_KEYS:
        (folder / key).write_bytes(key.encode())
    listed = lake.objects("raw/shop x%")
    assert [stored.key for stored in listed] == sorted(f"raw/shop x%/{key}" for key in ODD_KEYS)
    assert all(lake.read(stored.key) == Path(lake.uri(stored.key)).read_bytes() for stored in listed)
    assert lake.folders("raw") == ["shop x%"]


# --- listing ----------------------------------------------------------------------------------------------------------


def test_lists_a_folder_by_key_at_any_depth_and_not_its_neighbours(lake: Lake) -> None:
    for key in ["f/2", "f/10", "f/sub/1", "f/a", "fg/1", "f.x"]:
        lake.create(key, b"x")
    assert [stored.key for stored in lake.objects("f")] == ["f/10", "f/2", "f/a", "f/sub/1"]
    assert lake.objects("f") == lake.objects("f/")


@pytest.mark.parametrize(
    "after", ["f/00", "f/01", "f/01.~", "f/02.outcome.json", "f/02.~", "f/1", "f/sub", "f/sub/2", "f/~", "g"]
)
def test_lists_only_what_comes_after_a_key(lake: Lake, after: str) -> None:
    keys = [f"f/{number:02}.{kind}.json" for number in range(1, 4) for kind in ("outcome", "plan")]
    keys += ["f/sub/1", "f/sub/2", "f/sub/3"]
    for key in keys:
        lake.create(key, b"x")
    assert [stored.key for stored in lake.objects("f", after=after)] == [key for key in keys if key > after]


def test_names_the_folders_directly_below(lake: Lake) -> None:
    for key in ["p/b/1", "p/a/sub/1", "p/file", "pq/1", "p/2024-01-01/x"]:
        lake.create(key, b"x")
    assert (lake.folders("p"), lake.folders("p/a"), lake.folders("p/b")) == (["2024-01-01", "a", "b"], ["sub"], [])


def test_size_is_in_bytes_and_the_etag_changes_with_a_redelivery(lake: Lake) -> None:
    lake.create("a", "é".encode())
    before = lake.head("a")
    Path(lake.uri("a")).unlink()
    lake.create("a", "è".encode())
    after = lake.head("a")
    assert before and after and before.size == after.size == 2
    assert before.etag != after.etag != ""


# --- missing ----------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_none_or_empty(lake: Lake) -> None:
    lake.create("folder/x", b"")
    assert (lake.read("none"), lake.head("none"), lake.read("none/x"), lake.head("folder")) == (None,) * 4
    assert (lake.objects("none"), lake.objects("none", after="none/1"), lake.folders("none")) == ([], [], [])


def test_opening_what_is_missing_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(StorageError, match="Opening .*/none: expected an object, got none.*run the same command again"):
        lake.open("none")


# --- failing ----------------------------------------------------------------------------------------------------------


WAYS: dict[str, Callable[[Lake], object]] = {
    "Creating": lambda lake: lake.create("file/x", b"1"),
    "Reading": lambda lake: lake.read("file/x"),
    "Looking at": lambda lake: lake.head("file/x"),
    "Opening": lambda lake: lake.open("file/x"),
}


@pytest.mark.parametrize("doing", WAYS)
def test_a_file_where_a_folder_should_be_is_told(lake: Lake, doing: str) -> None:
    lake.create("file", b"")
    with pytest.raises(
        StorageError, match=rf"^{doing} .*/file/x: expected the storage to answer, got '.*Not a directory"
    ):
        WAYS[doing](lake)


@pytest.mark.parametrize("below", ["", "/lake"])
def test_a_lake_that_cannot_be_a_folder_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"Opening the lake .*file.*Free space or restore access"):
        Lake(f"{tmp_path}/file{below}")


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Writing stops in the middle of a file, as on a full disk (as root, rights would not stop it)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_half_a_file_is_no_object(lake: Lake) -> None:
    lake.create("folder/first", b"x")
    with no_file_above(1000), pytest.raises(StorageError, match=r"Creating .*/folder/big: .*Free space"):
        lake.create("folder/big", b"x" * 100_000)
    assert [stored.key for stored in lake.objects("folder")] == ["folder/first"]
    assert lake.read("folder/big") is None
    assert lake.create("folder/big", b"x" * 100_000)
