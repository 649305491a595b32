"""csv-spectrum: twelve small files with what they mean as JSON, published by others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.sources.csv_reader import open_csv

SPECTRUM = Path(__file__).parents[3].parent / "shared" / "data" / "csv_spectrum"
CASES = sorted(path.stem for path in SPECTRUM.glob("csvs/*.csv"))

pytestmark = pytest.mark.skipif(not SPECTRUM.is_dir(), reason="the csv-spectrum files do not lie beside the project")


def test_all_twelve_cases_are_there() -> None:
    assert len(CASES) == 12


def _delivered(case: str) -> bytes:
    """The CSV as it was made: the copy here has lost its carriage returns, which its JSON still has."""
    content = (SPECTRUM / "csvs" / f"{case}.csv").read_bytes()
    return content.replace(b"\n", b"\r\n") if case.endswith("_crlf") else content


def _expected(case: str) -> list[dict[str, str]]:
    """The JSON; of one case it is one object instead of a list, and names another telephone number than its CSV."""
    expected = json.loads((SPECTRUM / "json" / f"{case}.json").read_text(encoding="utf-8"))
    if case == "location_coordinates":
        assert expected["Contact Phone Number"] == "1234567890"
        return [expected | {"Contact Phone Number": "2095257564"}]
    assert isinstance(expected, list)
    return expected


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
@pytest.mark.parametrize("case", CASES)
def test_reads_what_the_json_says(case: str, piece_bytes: int) -> None:
    delivered = open_csv([_delivered(case)], case, piece_bytes=piece_bytes)
    rows = []
    for piece in delivered.pieces:
        assert piece.unreadable == ()
        rows += piece.fields.select(list(delivered.header)).to_pylist()
    assert rows == _expected(case)
