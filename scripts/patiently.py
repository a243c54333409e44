"""Run a command, and print a line every 12 seconds while the command prints nothing.

Usage: patiently.py WHAT COMMAND...
"""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import cast

SILENCE = 12.0
"""seconds"""


def patiently(what: str, *command: str | Path, env: dict[str, str] | None = None) -> int:
    """Run a command and print its output; its exit code."""
    began = latest = time.monotonic()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output = cast("io.BufferedReader", process.stdout)

        def pass_on() -> None:
            nonlocal latest
            while text := output.read1():
                sys.stdout.buffer.write(text)
                sys.stdout.flush()
                latest = time.monotonic()

        reader = threading.Thread(target=pass_on)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(1)
                if time.monotonic() - latest > SILENCE:
                    line = f"{what}: still running after {time.monotonic() - began:.0f} s\n"
                    sys.stdout.buffer.write(line.encode())  # at once: `print` lets the other thread write between
                    sys.stdout.flush()
                    latest = time.monotonic()
            return process.wait()
        except KeyboardInterrupt:  # Ctrl-C is the command's, too
            return process.wait() or 130


if __name__ == "__main__":
    sys.exit(patiently(*sys.argv[1:]))
