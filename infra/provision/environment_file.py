"""What Terraform made, as the environment file that `tidemark`, `make submit-job` and the DAGs read."""

from __future__ import annotations

from pathlib import Path

import yaml

from jobs.config.document import read_document
from jobs.config.environment import Environment
from jobs.config.problems import config_error
from jobs.config.validation import validated

_HEADER = """\
# yaml-language-server: $schema=../schema/environment.json
# Written from Terraform's outputs by `make env ENV={0}`: change infra/terraform/environments/{0} instead.
"""


def write_environment_file(root: Path, environment: str, made: object) -> Path:
    """conf/environments/<environment>.yaml, whole or not at all. Raises ConfigError where it would not be a valid one."""
    path = root / "conf/environments" / f"{environment}.yaml"
    draft = path.with_suffix(".draft")
    try:
        draft.write_text(yaml.safe_dump(made), encoding="utf-8")
        document, problems = read_document(draft, f"conf/environments/{path.name}")
        model, more = validated(Environment, document)
        if model is None:
            raise config_error([*problems, *more])
        content = model.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        draft.write_text(
            _HEADER.format(environment) + yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8"
        )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
