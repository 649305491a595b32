"""The page of a report: nothing in it runs, nothing is fetched, every value is there to the last digit."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import UsageError
from jobs.report_chart import MOST_LINES, chart_of
from jobs.report_page import report_page, write_report_page
from jobs.warehouse.reports import Report

AS_OF = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
SQL = "-- One row per day & type.\n-- A refund is < 0.\nSELECT 1 -- not this\n"
HOSTILE = "<script>alert(1)</script>"
DAY = timedelta(days=1)


class Page(HTMLParser):
    """What a browser would make of it: elements with attributes, the rows of the table, texts by element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.classes: list[list[str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        if tag == "tr":
            self.rows.append([])
            self.classes.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.classes[-1].append(dict(attrs).get("class"))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)
        if self._open in ("td", "th"):
            self.rows[-1][-1] += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(columns: tuple[str, ...], *rows: tuple[Any, ...], name: str = "revenue_by_day") -> Page:
    return Page(report_page(name, SQL, Report(columns, list(rows)), AS_OF))


def caption_of(columns: tuple[str, ...], *rows: tuple[Any, ...]) -> str:
    chart = chart_of(Report(columns, list(rows)))
    return chart.caption if chart else "none"


def test_says_what_the_report_is_as_of_when_and_how_many_rows() -> None:
    page = page_of(("day", "amount"), (date(2026, 1, 1), 1), (date(2026, 1, 2), 2))

    assert page.texts["h1"] == ["Revenue by day"]
    assert page.texts["p"] == ["One row per day & type.\nA refund is < 0.", "As of 2026-11-21 04:30:00 UTC · 2 rows"]


def test_every_value_is_written_to_the_last_digit() -> None:
    in_paris = datetime(2026, 1, 1, 1, 30, 0, 250000, tzinfo=timezone(timedelta(hours=1)))
    page = page_of(
        ("user_id", "name", "amount", "rate", "at"),
        (812345678901234567, "=1+1", Decimal("12345678901234567890.10"), 1234.5, in_paris),
        (7, None, Decimal("1E+3"), None, datetime.fromisoformat("2026-01-01")),
        (8, "", Decimal("-0.00"), -0.1, None),
    )

    assert page.rows[1:] == [
        ["812345678901234567", "=1+1", "12,345,678,901,234,567,890.10", "1,234.5", "2026-01-01 00:30:00.250000"],
        ["7", "", "1,000", "", "2026-01-01 00:00:00"],
        ["8", "", "-0.00", "-0.1", ""],
    ]
    assert page.classes[0] == ["plain", "text", "number", "number", "plain"]


@pytest.mark.parametrize("is_drawn_as", ["bar", "line"])
def test_a_hostile_value_is_only_text(is_drawn_as: str) -> None:
    time = (date(2026, 1, 1),) if is_drawn_as == "line" else (None,)
    page = page_of(("day", f"who{HOSTILE}", f"n{HOSTILE}"), (*time, HOSTILE, 1), name=HOSTILE)

    assert not page.attributes("script")
    assert page.rows == [
        ["day", f"who{HOSTILE}", f"n{HOSTILE}"],
        ["2026-01-01" if is_drawn_as == "line" else "", HOSTILE, "1"],
    ]
    assert HOSTILE in page.texts["text"]


def test_nothing_is_fetched_and_only_the_styles_that_the_policy_names_apply() -> None:
    page = page_of(("day", "kind", "amount"), (date(2026, 1, 1), "a", 1), (date(2026, 1, 2), "b", 2))
    (style,) = page.texts["style"]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    fetching = {"src", "href", "xlink:href", "srcset", "data", "action", "style"}

    assert page.attributes("meta")[1]["content"] == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert [
        found for _, attributes in page.elements for found in attributes if found in fetching or found[:2] == "on"
    ] == []
    assert not re.search(r"@import|url\(", style)


def test_the_page_tells_a_screen_reader_what_is_what() -> None:
    page = page_of(("day", "amount"), (date(2026, 1, 1), 1))
    (drawing,) = page.attributes("svg")

    assert page.attributes("html") == [{"lang": "en"}]
    assert (drawing["role"], drawing["aria-labelledby"]) == ("img", "chart-title chart-desc")
    assert [page.attributes("desc")[0]["id"], page.attributes("title")[1]["id"]] == ["chart-desc", "chart-title"]
    assert [head["scope"] for head in page.attributes("th")] == ["col", "col"]
    assert len(page.attributes("caption")) == 1


@pytest.mark.parametrize(
    ("rows", "reason"), [([], "rows"), ([(1, "a", None)], "number among its columns"), ([(1, "a", True)], "number among its columns")]
)  # fmt: skip
def test_without_rows_or_numbers_a_sentence_stands_for_the_chart(rows: list[tuple[Any, ...]], reason: str) -> None:
    page = page_of(("user_id", "name", "amount"), *rows)

    assert page.texts["p"][-1] == f"No chart: the report has no {reason}."
    assert not page.attributes("svg")


def test_a_time_and_a_category_before_the_numbers_make_a_line_per_category() -> None:
    rows = [(date(2026, 1, day), kind, day, Decimal(day)) for day in (1, 2, 3) for kind in ("purchase", "refund")]
    columns = ("day", "transaction_type", "transactions", "amount")

    page = page_of(columns, *rows)

    assert page.texts["figcaption"] == ["transactions and amount by day, one line per transaction_type."]
    assert {"transactions", "amount", "purchase", "refund", "2026-01-02"} <= set(page.texts["text"])
    lines = [path for path in page.attributes("path") if path.get("aria-roledescription") == "line mark"]
    assert [line["stroke"] for line in lines] == ["var(--series-1)", "var(--series-2)"] * 2


def test_more_categories_than_colours_are_cut_to_the_largest_and_the_caption_says_so() -> None:
    rows = [(f"channel {number}", date(2026, 1, day), number) for day in (1, 2) for number in range(MOST_LINES + 2)]

    page = page_of(("channel", "day", "messages"), *rows)

    assert "the 8 of 10 with the largest sum of messages." in page.texts["figcaption"][0]
    assert {text for text in page.texts["text"] if text.startswith("channel ")} == {
        f"channel {n}" for n in range(2, 10)
    }


@pytest.mark.parametrize(
    ("columns", "rows", "caption"),
    [
        (
            ("user_id", "username", "likes", "followers"), [(7, "ada", 1, 9), (8, None, 5, 4)],
            "followers per username.",  # the number that falls
        ),
        (
            ("user_id", "name", "value", "last_at"), [(7, "ada", 1, AS_OF), (8, "bo", 2, AS_OF)],
            "value per name.",  # a time behind the numbers is a fact about a row, not its subject
        ),
        (
            ("leader_id", "leader", "crowned_on", "ended_on", "seconds"), [(7, "ada", AS_OF, AS_OF + DAY, 5)],
            "seconds per leader.",  # a period, not a time
        ),
        (("owner_user_id", "score"), [(7, 1), (8, 2)], "score per owner_user_id."),
        (("day", "amount"), [(date(2026, 1, 1), 1), (date(2026, 1, 1), 2)], "amount per day."),  # no line has two values at a time
        (("total",), [(Decimal("NaN"),), (Decimal(3),)], "total."),
    ],
)  # fmt: skip
def test_any_other_report_gets_a_bar_per_row(
    columns: tuple[str, ...], rows: list[tuple[Any, ...]], caption: str
) -> None:
    assert caption_of(columns, *rows) == caption


def test_a_bar_is_labelled_by_the_first_name_that_its_row_has() -> None:
    page = page_of(("user_id", "username", "followers"), ("u-1", "ada", 3), ("u-2", None, 2), ("u-3", "ada", 1))

    assert [text for text in page.texts["text"] if text in ("ada", "u-1", "u-2", "u-3")] == ["ada", "u-2", "ada"]


def test_a_page_that_cannot_be_written_names_the_path(tmp_path: Path) -> None:
    missing = tmp_path / "no such folder" / "page.html"

    with pytest.raises(
        UsageError, match=r"Writing page '.*no such folder/page.html': expected a file .*Choose another path"
    ):
        write_report_page(missing, "x", SQL, Report(("n",), []), AS_OF)


def test_a_written_page_is_utf_8(tmp_path: Path) -> None:
    write_report_page(tmp_path / "page.html", "x", SQL, Report(("name",), [("é – 🦆",)]), AS_OF)

    assert "é – 🦆" in (tmp_path / "page.html").read_bytes().decode("utf-8")
