"""The watch over a local Airflow: a program of its own, which starts a component again that has ended."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from laptop.home import Home
from laptop.services import Services
from laptop.waiting import pause, until

RESTARTS = 5
"""So many times a component is started again within the window; then it stays down."""

WINDOW = 600.0
"""seconds"""


class Watch:
    """Looks after the components; `say` gets a sentence on whatever it finds."""

    def __init__(self, services: Services, inherited: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._services = services
        self._programs = services.programs(inherited)
        self._say = say
        self._restarts: defaultdict[str, list[float]] = defaultdict(list)

    def look(self) -> None:
        """Start again what has ended, or give it up where it has ended too often."""
        for session in list(self._services.sessions):
            if session.name not in self._programs or session.name in self._services.given_up or session.alive():
                continue
            recent = [moment for moment in self._restarts[session.name] if moment > time.monotonic() - WINDOW]
            if len(recent) >= RESTARTS:
                self._services.give_up(session.name)
                self._say(
                    f"{session.name} has ended {RESTARTS + 1} times in {WINDOW / 60:.0f} minutes and stays down; "
                    f"its log is {session.log}; `make up` starts everything again"
                )
                continue
            self._restarts[session.name] = [*recent, time.monotonic()]
            self._services.restart(session, self._programs[session.name])
            self._say(f"{session.name} had ended and was started again; its log is {session.log}")


def keep(home: Home, inherited: Mapping[str, str]) -> None:
    """Watch until a signal comes. Whoever started this process notes it; nobody else changes the note from then on."""

    def noted() -> bool:
        found = Services.found(home)
        return found is not None and any(session.id == os.getpid() for session in found.sessions)

    if until(noted, 60) and (services := Services.found(home)):
        watch = Watch(services, inherited, lambda text: print(f"{time.strftime('%H:%M:%S')} {text}", flush=True))
        while True:
            watch.look()
            pause(1)


class News:
    """What the watch writes into its log from now on."""

    def __init__(self, home: Home) -> None:
        self._log = home.logs / "watch.log"
        self._seen = self._log.stat().st_size if self._log.exists() else 0

    def lines(self) -> list[str]:
        """Lines that are new since the last call."""
        if not self._log.exists():
            return []
        whole = self._log.read_bytes()
        new = whole[self._seen : whole.rfind(b"\n") + 1]
        self._seen += len(new)
        return new.decode(errors="replace").splitlines()
