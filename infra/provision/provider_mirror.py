"""Where Terraform gets its provider from: a mirror on this machine if there is one, else the network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

MIRROR = "TF_PLUGIN_MIRROR"
_USUAL_PLACES = ("/opt", "/usr/share", "/usr/local/share", "/usr/lib", "~/.terraform.d")
_CONFIG = """\
provider_installation {{
  filesystem_mirror {{
    path = "{}"
  }}
}}
"""


def provider_version(root: Path) -> str:
    """The pinned version of the AWS provider, from the bootstrap's own file."""
    text = (root / "infra/terraform/bootstrap/versions.tf").read_text(encoding="utf-8")
    versions: list[str] = re.findall(r'version\s*=\s*"([0-9.]+)"', text)
    return versions[-1]


def plugin_mirror(version: str, variables: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of a mirror (…/<host>/hashicorp/aws/<version>) that $TF_PLUGIN_MIRROR names, or that lies in one of the usual places."""
    named = variables.get(MIRROR)
    places = [Path(named)] if named else [Path(place).expanduser() for place in _USUAL_PLACES]
    return next(chain.from_iterable(_mirrors(place, version) for place in places), None)


def _mirrors(place: Path, version: str) -> Iterator[Path]:
    for depth in ("*", "*/*"):
        for found in sorted(place.glob(f"{depth}/hashicorp/aws/{version}")):
            yield found.parents[3]


def cli_settings(root: Path, folder: Path, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """TF_CLI_CONFIG_FILE for the mirror, written into `folder`; nothing where the user has a configuration or there is no mirror."""
    given = variables.get("TF_CLI_CONFIG_FILE")
    mirror = None if given and Path(given).is_file() else plugin_mirror(provider_version(root), variables)
    if mirror is None:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mirror.tfrc"
    config.write_text(_CONFIG.format(mirror), encoding="utf-8")
    return {"TF_CLI_CONFIG_FILE": str(config)}
