"""Runs the command line and kills itself (SIGKILL) after the K-th effect of the run: `crash_run.py K run coupbot`.

Effects are what another process could see: a ledger or manifest file, a Delta commit, a warehouse transaction. With K = 0 nothing
is killed. The labels of the effects go to the file named by CRASH_RUN_LABELS, one a line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from jobs import cli
from jobs.run import tasks, write
from jobs.runtime.storage import Lake
from jobs.warehouse.postgres import PostgresWarehouse

KILL_AFTER = int(sys.argv.pop(1))
LABELS = Path(os.environ["CRASH_RUN_LABELS"])
seen = 0


def effect(label: str) -> None:
    global seen
    seen += 1
    with LABELS.open("a") as lines:
        lines.write(label + "\n")
    if seen == KILL_AFTER:
        os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any], label: Callable[..., str | None]) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        text = label(*arguments, **options)
        if text:
            effect(text)
        return result

    return wrapped


def stored_file(_: Lake, path: str, __: bytes) -> str | None:
    if path.endswith("manifest.json"):
        return "export" if path.startswith("export/") else "manifest"
    name = path.rsplit("/", 1)[-1].removesuffix(".json").split(".")[-1]
    return name if name in ("plan", "checked", "outcome", "published") else None


Lake.create = after(Lake.create, stored_file)  # type: ignore[method-assign]
tasks.run_shares = after(tasks.run_shares, lambda *_: "landing")
write._commit_once = after(
    write._commit_once,
    lambda _c, _p, _m, target, _w: f"commit {target.path.split('/', 1)[0]} {target.path.rsplit('/', 1)[-1]}",
)
PostgresWarehouse.commit = after(PostgresWarehouse.commit, lambda *_: "load")  # type: ignore[method-assign]

cli.main()
