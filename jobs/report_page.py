"""A report as one HTML file that needs nothing else: no network, no script, no file beside it.

A strict Content-Security-Policy stands in the page itself: whatever a value of the report says, it is text.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import UsageError
from jobs.report_chart import chart_of, is_number

if TYPE_CHECKING:
    from jobs.warehouse.reports import Report

_STYLE = """
:root { color-scheme: light dark; --page: #fcfcfb; --text: #1f2328; --quiet: #59636e; --line: #d9dde2; --head: #f1f3f5;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #00805f; --series-4: #a8478a;
  --series-5: #8a6d00; --series-6: #2f8fc4; --series-7: #5b4bb5; --series-8: #6e6e6e; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --text: #e6e8ea; --quiet: #9aa4ae; --line: #363c43; --head: #1e2328;
  --series-1: #58b0e8; --series-2: #f28e4b; --series-3: #3fc79e; --series-4: #dd8fc4;
  --series-5: #e6c229; --series-6: #9bd3f5; --series-7: #a99cf5; --series-8: #b5b5b5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; line-height: 1.2; }
.about { margin: 0 0 .25rem; max-width: 44rem; white-space: pre-line; }
.facts, figcaption, caption { color: var(--quiet); font-size: .875rem; }
.facts { margin: 0 0 1.75rem; }
figure { margin: 0 0 2rem; }
figure svg { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: .5rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { padding-bottom: .5rem; text-align: left; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { background: var(--head); white-space: nowrap; }
tbody th { font-weight: 600; }
.number { text-align: right; }
td { font-variant-numeric: tabular-nums; }
td.text { white-space: pre-wrap; overflow-wrap: break-word; min-width: 9rem; }
td.number, td.plain { white-space: nowrap; }
@media print { body { max-width: none; padding: 0; } thead { display: table-header-group; } }
"""
_POLICY = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"


def write_report_page(path: Path, name: str, sql: str, report: Report, as_of: datetime) -> None:
    """Raises UsageError when the file cannot be written."""
    page = report_page(name, sql, report, as_of)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"Writing page {str(path)!r}: expected a file in a folder that can be written, got {error.strerror!r}. "
            "Choose another path for --html."
        ) from error


def report_page(name: str, sql: str, report: Report, as_of: datetime) -> str:
    """The page: title, what the report is (its leading SQL comment), as-of and rows, chart, table."""
    title = escape(name.replace("_", " ").capitalize())
    rows = f"{len(report.rows):,} {'row' if len(report.rows) == 1 else 'rows'}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="about">{escape(_leading_comment(sql))}</p>
<p class="facts">As of {as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC · {rows}</p>
{_figure(report, title)}
{_table(name, report)}
</main>
</body>
</html>
"""


def _leading_comment(sql: str) -> str:
    comment = re.match(r"(?:\s*--[^\n]*(?:\n|$))*", sql)
    lines = comment[0].strip().splitlines() if comment else []
    return "\n".join(line.strip().removeprefix("--").strip() for line in lines)


def _figure(report: Report, title: str) -> str:
    chart = chart_of(report)
    if chart is None:
        lacking = "number among its columns" if report.rows else "rows"
        return f'<p class="facts">No chart: the report has no {lacking}.</p>'
    caption = escape(chart.caption)
    names = f'<title id="chart-title">{title}</title><desc id="chart-desc">{caption} The table below has every value.</desc>'
    drawing = re.sub(
        r"(<svg\b)([^>]*>)", rf'\1 role="img" aria-labelledby="chart-title chart-desc"\2{names}', chart.svg, count=1
    )
    return f"<figure>\n{drawing}\n<figcaption>{caption}</figcaption>\n</figure>"


def _table(name: str, report: Report) -> str:
    kinds = [_kind(column, [row[index] for row in report.rows]) for index, column in enumerate(report.columns)]
    heads = "".join(
        f'<th scope="col" class="{kind}">{escape(column)}</th>'
        for column, kind in zip(report.columns, kinds, strict=True)
    )
    body = "\n".join(
        f"<tr>{''.join(_cell(value, kind) for value, kind in zip(row, kinds, strict=True))}</tr>" for row in report.rows
    )
    return f"""<div class="table" role="region" aria-label="Table" tabindex="0">
<table>
<caption>{escape(name)}; times are in UTC, an empty cell is NULL</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>"""


def _kind(column: str, values: Sequence[object]) -> str:
    if is_number(column, values):
        return "number"
    return "text" if any(isinstance(value, str) for value in values) else "plain"


def _cell(value: object, kind: str) -> str:
    return f'<td class="{kind}">{escape(_written(value, is_grouped=kind == "number"))}</td>'


def _written(value: object, is_grouped: bool) -> str:
    """Every digit that the warehouse gave; ids stay ungrouped."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(" ")
    if is_grouped:
        return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return str(value)
