"""The JSON Schemas that editors use, made from the models: `python -m jobs.config.schema [--check]`, at the project's root.

They know what one value may be. Rules between values are the loader's alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jobs.config.environment import Environment
from jobs.config.pipeline import Pipeline

FOLDER = Path("conf/schema")
_ADVICE = "Run `python -m jobs.config.schema`."


def pipeline_schema() -> dict[str, Any]:
    """Of a file in conf/pipelines/, with `defaults`; a table need not have what `defaults` may fill in."""
    schema = _schema(Pipeline)
    table = schema["$defs"]["Table"]
    del table["required"]
    keys = {"type": "object", "properties": table["properties"], "additionalProperties": False}
    schema["properties"]["defaults"] = {
        "description": "Fills keys that a feed's table does not have; shallow. A derived table takes none.",
        **keys,
    }
    return schema


def environment_schema() -> dict[str, Any]:
    """Of a file in conf/environments/."""
    return _schema(Environment)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}
    _tidy(schema)
    return schema


def _tidy(node: Any) -> None:
    """Drops the titles that pydantic makes of every key's own name, and refuses names that fit no pattern, as the models do.

    `title` as the name of a property is a mapping and stays.
    """
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if "patternProperties" in node:
            node["additionalProperties"] = False
        for item in node.values():
            _tidy(item)
    elif isinstance(node, list):
        for item in node:
            _tidy(item)


def schema_texts() -> dict[str, str]:
    """File name → content."""
    schemas = {"pipeline.json": pipeline_schema(), "environment.json": environment_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def stale_files(root: Path) -> list[str]:
    """The schema files that are missing or differ from the models."""
    paths = {FOLDER / name: text for name, text in schema_texts().items()}
    return [
        str(path)
        for path, text in paths.items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str], root: Path) -> int:
    """Writes the schemas, or with --check only says which are stale: 1 if any is."""
    if arguments not in ([], ["--check"]):
        print(f"Making JSON Schemas: expected no argument or --check, got {arguments}.", file=sys.stderr)
        return 2
    stale = stale_files(root)
    if arguments:
        for file in stale:
            print(f"Checking {file}: expected what the models say, got an older text. {_ADVICE}", file=sys.stderr)
        return 1 if stale else 0
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in schema_texts().items():
        (root / FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path()))
