"""Run a command, and print every 12 seconds that it is at work while it prints nothing itself.

Usage: patiently.py WHAT COMMAND...
"""

import subprocess
import sys
import threading
import time

SILENCE = 12.0
"""seconds"""


def main(what: str, *command: str) -> int:
    """Pass on what a command prints; its exit code."""
    began = latest = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None  # noqa: S101 - for type checkers

        def pass_on() -> None:
            nonlocal latest
            while text := process.stdout.read1():
                sys.stdout.buffer.write(text)
                sys.stdout.flush()
                latest = time.monotonic()

        reader = threading.Thread(target=pass_on)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(1)
                if time.monotonic() - latest > SILENCE:
                    print(f"{what}: at work for {time.monotonic() - began:.0f} s", flush=True)
                    latest = time.monotonic()
            return process.wait()
        except KeyboardInterrupt:  # Ctrl-C is the command's, too
            return process.wait() or 130


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
