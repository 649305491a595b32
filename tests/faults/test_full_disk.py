"""A disk that is full at any stage: one clear message, nothing half-written, and the same command finishes once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Prepared
from tests.faults.system import ROOT, System

# A file system of its own, seen by these commands only: first with little room, then with enough.
SCRIPT = """
set -eu
mount -t tmpfs -o size=64m none "$LAKE"
cp -a "$BEFORE/." "$LAKE/"
dd if=/dev/zero of="$LAKE/ballast" bs=1k 2>/dev/null || true
truncate -s "-${ROOM_KB}k" "$LAKE/ballast"
code=0; $RUN > "$OUT/full.out" 2> "$OUT/full.err" || code=$?
echo "$code" > "$OUT/full.code"
rm "$LAKE/ballast"
$RUN > "$OUT/free.out" 2> "$OUT/free.err"
cp -a "$LAKE/." "$AFTER/"
"""


@pytest.mark.parametrize("room_kb", [8, 64, 160], ids=lambda kb: f"{kb}_KB")
def test_a_full_disk_ends_with_one_message_and_loses_nothing(
    prepared: Callable[[str], Prepared], home: Path, room_kb: int
) -> None:
    expected = prepared("coupbot")
    system = expected.before.copy(home)
    before = home / "lake"
    before.rename(home / "before")
    for folder in ("full", "after", "out"):
        (home / folder).mkdir()

    shell = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    environment = system.environment | {
        "TIDEMARK_LAKE_URL": str(home / "full"),
        "LAKE": str(home / "full"),
        "BEFORE": str(home / "before"),
        "AFTER": str(home / "after"),
        "OUT": str(home / "out"),
        "ROOM_KB": str(room_kb),
        "RUN": " ".join(system.command("run", "coupbot", "--as-of", "2024-04-01")),
    }
    subprocess.run([*shell, "bash", "-c", SCRIPT], cwd=ROOT, env=environment, check=True, timeout=300)

    message = (home / "out/full.err").read_text()
    assert (home / "out/full.code").read_text() == "1\n", message
    assert len([line for line in message.splitlines() if line.startswith("error:")]) == 1, message
    assert "No space left" in message and "Free space" in message and "Traceback" not in message, message
    (home / "after").rename(before)
    assert System(home).contents("coupbot") == expected.contents
