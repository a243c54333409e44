"""The command line, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def meanface(*words: object, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, without this environment's settings; what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEANFACE_")}
    command = [sys.executable, "-m", "meanface", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done
