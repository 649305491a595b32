"""What import-linter cannot see: imports within functions are lazy, so they are compared at run time."""

from __future__ import annotations

import subprocess
import sys


def test_the_command_line_comes_up_without_spark() -> None:
    code = "import jobs.cli, sys; print(*{'pyspark', 'delta', 'py4j'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
