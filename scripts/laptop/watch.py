"""The watch: a separate program that restarts components of a local Airflow that have ended."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from laptop.home import Home
from laptop.services import Services
from laptop.waiting import pause, until

MAX_RESTARTS = 5
"""A component is restarted so many times within the window, and then stays down."""

WINDOW = 600.0
"""seconds"""


class Watch:
    """Restarts components that have ended; `report` gets a sentence on each."""

    def __init__(self, services: Services, inherited: Mapping[str, str], report: Callable[[str], None]) -> None:
        self._services = services
        self._programs = services.programs(inherited)
        self._report = report
        self._restarts: defaultdict[str, list[float]] = defaultdict(list)

    def check(self) -> None:
        """Restart components that have ended, or give them up if they ended too often."""
        for session in list(self._services.sessions):
            if session.name not in self._programs or session.name in self._services.given_up or session.alive():
                continue
            recent = [moment for moment in self._restarts[session.name] if moment > time.monotonic() - WINDOW]
            if len(recent) >= MAX_RESTARTS:
                self._services.give_up(session.name)
                self._report(
                    f"{session.name} ended {MAX_RESTARTS + 1} times in {WINDOW / 60:.0f} minutes and stays down: "
                    f"see its log {session.log}; `make up` restarts everything"
                )
                continue
            self._restarts[session.name] = [*recent, time.monotonic()]
            self._services.restart(session, self._programs[session.name])
            self._report(f"{session.name} ended and was restarted; its log is {session.log}")


def run(home: Home, inherited: Mapping[str, str]) -> None:
    """Watch until a signal is received.

    First wait until the command that started this process has saved it; from then on only this
    process changes the saved components.
    """

    def saved() -> bool:
        found = Services.load(home)
        return found is not None and any(session.id == os.getpid() for session in found.sessions)

    if until(saved, 60) and (services := Services.load(home)):
        watch = Watch(services, inherited, lambda text: print(f"{time.strftime('%H:%M:%S')} {text}", flush=True))
        while True:
            watch.check()
            pause(1)


class WatchLog:
    """New lines of the watch's log."""

    def __init__(self, home: Home) -> None:
        self._log = home.logs / "watch.log"
        self._read = self._log.stat().st_size if self._log.exists() else 0

    def new_lines(self) -> list[str]:
        """Complete lines since the last call."""
        if not self._log.exists():
            return []
        content = self._log.read_bytes()
        new = content[self._read : content.rfind(b"\n") + 1]
        self._read += len(new)
        return new.decode(errors="replace").splitlines()
