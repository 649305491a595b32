"""One YAML file as plain values, and the line on which each of them stands.

PyYAML by itself keeps the last of two equal keys and turns the key `null` into None; both are refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from jobs.config.pipeline import fill_defaults
from jobs.config.problems import Fault, Path, Problem, dotted, shown

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """`value` has its `defaults` filled in; `lines` has the paths as they are written in the file; `refused` those of values
    that could not be read, which are None here and reported already."""

    file: str
    value: Any
    lines: Mapping[Path, int]
    refused: frozenset[Path] = frozenset()

    def problem(self, fault: Fault) -> Problem:
        """The fault with its line: its own, or that of the nearest thing around it (a missing key has none)."""
        path = self._written(fault.path)
        nearest = next((path[:size] for size in range(len(path), 0, -1) if path[:size] in self.lines), None)
        line = 1 if nearest is None else self.lines[nearest]
        return Problem(self.file, line, dotted(path), fault.expected, fault.got, fault.hint)

    def is_refused(self, path: Path) -> bool:
        """Whether the value, or one around it, could not be read."""
        return any(path[:size] in self.refused for size in range(len(path) + 1))

    def _written(self, path: Path) -> Path:
        """A table's key that `defaults` filled in stands in `defaults`."""
        from_defaults = ("defaults", *path[2:])
        if path[:1] == ("tables",) and len(path) > 2 and path[:3] not in self.lines and from_defaults[:2] in self.lines:
            return from_defaults
        return path

    def at(self, *path: str) -> Any:
        """The value as it was written, valid or not; None if there is none."""
        value = self.value
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def names(self, *path: str) -> tuple[str, ...]:
        """The keys of a mapping as they were written, valid or not."""
        value = self.at(*path)
        return tuple(value) if isinstance(value, dict) else ()


def read_document(path: FilePath, file: str) -> tuple[Document, list[Problem]]:
    """The file, called `file` in problems. A file that holds no mapping gives an empty one and a problem."""
    reading = _Reading(file)
    value = reading.read(path)
    if not reading.problems and not isinstance(value, dict):
        reading.problems.append(
            Problem(file, 1, "", "a mapping of keys", shown(value), "The file is empty." * (value is None))
        )
    value = value if isinstance(value, dict) else {}
    return Document(file, fill_defaults(value), reading.lines, frozenset(reading.refused)), reading.problems


@dataclass
class _Reading:
    """One walk over the nodes of a file."""

    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refused: set[Path] = field(default_factory=set)

    def read(self, path: FilePath) -> Any:
        try:
            self._loader = yaml.CSafeLoader(path.read_bytes())
            node = self._loader.get_single_node()
            return None if node is None else self._value(node, (), ())
        except yaml.YAMLError as error:
            self._refuse_syntax(error)
        except OSError as error:
            self.problems.append(Problem(self.file, None, "", "a file that can be read", error.strerror or "an error"))
        return None

    def _value(self, node: yaml.Node, path: Path, around: tuple[yaml.Node, ...]) -> Any:
        if node in around:
            return self._refuse(node, path, "a value", "an anchor inside itself")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path, (*around, node))
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            for index, item in enumerate(node.value):
                self.lines.setdefault((*path, index), item.start_mark.line + 1)
            return [self._value(item, (*path, index), (*around, node)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return self._refuse(node, path, "a mapping, a list or a plain value", f"the tag {node.tag.replace(_TAG, '!!')}")

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.tag in (_TAG + "str", _TAG + "timestamp"):
            return node.value
        if node.tag not in {_TAG + kind for kind in ("null", "bool", "int", "float")}:
            return self._refuse(node, path, "a plain value", f"the tag {node.tag.replace(_TAG, '!!')}")
        try:
            return self._loader.construct_object(node)
        except (ValueError, KeyError):  # a tag that the text does not fit: !!int x
            return self._refuse(node, path, f"a value that is a {node.tag.removeprefix(_TAG)}", shown(node.value))

    def _mapping(self, node: yaml.MappingNode, path: Path, around: tuple[yaml.Node, ...]) -> dict[str, Any]:
        entries = self._entries(node, path, around)
        for key, (line, _) in entries.items():
            self.lines[*path, key] = line
        return {key: self._value(item, (*path, key), around) for key, (_, item) in entries.items()}

    def _entries(
        self, node: yaml.MappingNode, path: Path, around: tuple[yaml.Node, ...]
    ) -> dict[str, tuple[int, yaml.Node]]:
        """Key → its line and node. What `<<` brings in comes first and gives way, as YAML says."""
        merged: dict[str, tuple[int, yaml.Node]] = {}
        own: dict[str, tuple[int, yaml.Node]] = {}
        for key_node, item in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _TAG + "merge":
                merged = {**self._merged(item, path, around), **merged}
            elif key_node.tag != _TAG + "str":
                self._refuse_key(key_node, path)
            elif key_node.value in own:
                fault = f"it a second time; the first is on line {own[key_node.value][0]}"
                self.problems.append(
                    Problem(self.file, line, dotted((*path, key_node.value)), "each key once", fault, "Remove one.")
                )
            else:
                own[key_node.value] = (line, item)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path, around: tuple[yaml.Node, ...]) -> dict[str, tuple[int, yaml.Node]]:
        if node in around:
            self._refuse(node, (*path, "<<"), "another mapping", "an anchor inside itself")
        elif isinstance(node, yaml.MappingNode):
            return self._entries(node, path, (*around, node))
        elif isinstance(node, yaml.SequenceNode):
            parts = [self._merged(item, path, (*around, node)) for item in node.value]
            return {key: entry for part in reversed(parts) for key, entry in part.items()}
        else:
            self._refuse(node, (*path, "<<"), "the alias of a mapping", "a plain value")
        return {}

    def _refuse(self, node: yaml.Node, path: Path, expected: str, got: str) -> None:
        """A value that cannot be read, on the line where it is used if that is known, else where its anchor stands."""
        line = self.lines.get(path, node.start_mark.line + 1)
        self.problems.append(Problem(self.file, line, dotted(path), expected, got))
        self.refused.add(path)

    def _refuse_key(self, node: yaml.Node, path: Path) -> None:
        written = node.value if isinstance(node, yaml.ScalarNode) else "{…}"
        read_as = shown(self._scalar(node, path)) if isinstance(node, yaml.ScalarNode) else "a structure"
        self.problems.append(
            Problem(
                self.file,
                node.start_mark.line + 1,
                dotted((*path, written)),
                "a text as the key",
                f"{written}, which YAML reads as {read_as.replace('nothing', 'the key None')}",
                f"Quote it ('{written}':) or use another name (nullable, for one).",
            )
        )

    def _refuse_syntax(self, error: yaml.YAMLError) -> None:
        """Where a quote begins says more than the end of the file, where its other half is missed."""
        around = getattr(error, "context", None)
        is_open = around == "while scanning a quoted scalar"
        mark = getattr(error, "context_mark" if is_open else "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or type(error).__name__
        got = f"{what} ({around})" if around else str(what)
        line = mark.line + 1 if mark else None
        self.problems.append(
            Problem(self.file, line, "", "valid YAML", got, "Is something unquoted or indented wrongly?")
        )
