"""The commands of `scripts/local.py`, run as users run them, with a separate home."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CHECKOUT = Path(__file__).parents[2]


@dataclass
class Laptop:
    """The commands with one home, and the processes that they started."""

    home: Path
    sessions: set[int] = field(default_factory=set)

    def start(self, *words):
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, CHECKOUT / "scripts" / "local.py", *words],
            env=os.environ | {"MEANFACE_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, *words):
        """Run a command to its end."""
        with self.start(*words) as command:
            out, err = command.communicate(timeout=240)
        return subprocess.CompletedProcess(words, command.returncode, out, err)

    def saved(self):
        """The saved components; None if nothing is saved."""
        try:
            saved = json.loads((self.home / "services.json").read_text())
        except FileNotFoundError:
            return None
        self.sessions |= {session["id"] for session in saved["sessions"]}
        return saved

    def processes(self):
        """All running processes of the commands: by session, and by open files in the home."""
        self.saved()
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                    continue
                opened = any(file.path.startswith(f"{self.home}/") for file in process.open_files())
                if opened or os.getsid(process.pid) in self.sessions:
                    found.append(process)
        return found

    def stages(self, stage):
        """The processes of a stage."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if stage in process.cmdline()[1:3]:
                    found.append(process)
        return found
