"""The running components of a local Airflow: saved in a file, found again, restarted, stopped."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from laptop import components, database, environment, sessions
from laptop.api import Airflow
from laptop.home import Home, write_private
from laptop.sessions import Program, Session

STOPPED_LAST = ((("api-server",), 1.5), (("valkey", "postgresql"), 2.5))
"""Components that others need while they stop, in the order of their stop, with their grace
periods.

Tasks use the API and Valkey, and all of Airflow uses its database. Everything has stopped within
ten seconds; a component that is killed then loses nothing that was committed."""


class ServiceError(Exception):
    """A component ended or was not ready, or the running components do not fit the command."""


@dataclass
class Services:
    """The running components and their addresses, saved so that other commands find them."""

    home: Home
    ui_port: int
    valkey_port: int
    socket: str
    """the folder of the database's socket"""
    storage: str
    """where the stages write results, as set when the components started"""
    kept: bool
    """whether the components keep running when the command that started them ends"""
    chosen: dict[str, str] = field(default_factory=dict)
    """`MEANFACE_*` in the environment of their start"""
    sessions: list[Session] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    """components that ended too often and are not restarted"""

    @classmethod
    def load(cls, home: Home) -> Services | None:
        """The components that an earlier command started; None if it left nothing running."""
        try:
            saved = json.loads(_file(home).read_text())
        except FileNotFoundError:
            return None
        try:
            started = [Session(**session) for session in saved["sessions"]]
            return cls(home, **(saved | {"sessions": started}))
        except TypeError:
            ids = ",".join(str(session["id"]) for session in saved["sessions"])
            raise ServiceError(
                f"Airflow in {home.path} was started by another version of meanface: stop it with that version's "
                f"`make down`, or with `pkill -s {ids}; rm {_file(home)}`"
            ) from None

    @property
    def address(self) -> str:
        """The UI's address."""
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def redis_url(self) -> str:
        """Valkey's URL with its password."""
        return environment.redis_url(self.home, self.valkey_port)

    def settings(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Environment of Airflow's commands."""
        inherited = {**inherited, "MEANFACE_STORAGE": self.storage}
        return environment.airflow_environment(self.home, self.ui_port, self.valkey_port, self.socket, inherited)

    def check_settings(self, inherited: Mapping[str, str]) -> None:
        """Raise ServiceError if the stages' settings differ from the running Airflow's."""
        running = self.settings(self.chosen)
        other = [name for name, value in environment.stage_settings(inherited).items() if value != running.get(name)]
        if other:
            raise ServiceError(
                f"Airflow is running with another value of {', '.join(other)}: stop it with `make down`, "
                "then run this command again"
            )

    def programs(self, inherited: Mapping[str, str]) -> dict[str, Program]:
        """The components that are watched, by name, in the order of their start."""
        settings = self.settings(inherited)
        programs = [components.postgresql(self.home, self.socket), components.valkey(self.home, self.valkey_port)]
        programs += [components.airflow(name, settings) for name in components.AIRFLOW_COMPONENTS]
        return {program.name: program for program in programs}

    def has_database(self) -> bool:
        """Whether PostgreSQL is running, which is all that Airflow's commands need."""
        return any(session.name == "postgresql" and session.alive() for session in self.sessions)

    def watched(self) -> bool:
        """Whether the watch is running and has given up no component."""
        return not self.given_up and any(session.name == "watch" and session.alive() for session in self.sessions)

    def client(self) -> Airflow:
        """A client of Airflow's API, not logged in yet."""
        return Airflow(self.address, self.home.secrets["ui_password"])

    def check(self) -> None:
        """Raise ServiceError if a component has ended and will not be restarted."""
        self._reload()
        for session in self.sessions:
            if session.name in self.given_up or (session.name == "watch" and not session.alive()):
                raise ServiceError(ended_message(session))

    def restart(self, session: Session, program: Program) -> None:
        """Restart a component that has ended: stop what it left running, and append to its log."""
        sessions.stop([session], grace=0)
        if session.name == "postgresql":
            database.clean_up(self.home, self.socket)
        self.sessions[self.sessions.index(session)] = sessions.start(program, Path(session.log))
        self._save()

    def give_up(self, name: str) -> None:
        """Save that a component is not restarted any more."""
        self.given_up.append(name)
        self._save()

    def stop(self) -> None:
        """Stop everything, and last the components that others need while they stop.

        Raises
        ------
        StillRunning
            if processes are still running after SIGKILL
        """
        sessions.stop([session for session in self.sessions if session.name == "watch"], grace=5)
        self._reload()
        last = {name for group, _ in STOPPED_LAST for name in group}
        sessions.stop([session for session in self.sessions if session.name not in last], grace=3.5)
        for group, grace in STOPPED_LAST:
            sessions.stop([session for session in self.sessions if session.name in group], grace=grace)
        database.remove_socket_folder(self.home, self.socket)
        self.home.environment.unlink(missing_ok=True)
        _file(self.home).unlink(missing_ok=True)
        self.sessions.clear()

    def launch(self, program: Program) -> Session:
        """Start a program and save it; the previous log is kept as `.log.1`."""
        log = self.home.logs / f"{program.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        session = sessions.start(program, log)
        self.sessions.append(session)
        self._save()
        return session

    def finish(self, program: Program, ended: Callable[[Session], bool]) -> None:
        """Run a program to its end; `ended` waits, and is false if it did not end in time."""
        session = self.launch(program)
        in_time = ended(session)
        self.sessions.remove(session)
        if not in_time or sessions.exit_code(session) != 0:
            sessions.stop([session])
            raise ServiceError(f"{session.name} failed; its log ({session.log}) ends with\n{session.last_lines()}")

    def _save(self) -> None:
        saved = asdict(self)
        saved.pop("home")
        write_private(_file(self.home), json.dumps(saved))

    def _reload(self) -> None:
        """Read the changes that the watch has made."""
        if loaded := Services.load(self.home):
            self.sessions, self.given_up = loaded.sessions, loaded.given_up


@contextmanager
def claimed_port(first: int) -> Iterator[int]:
    """Claim a free port, from `first` on, so that no other start uses it while this block runs.

    A server binds its port only about 20 seconds after its start. The claim is the UDP port of the
    same number, which the server does not use, and which is released when the process ends. If none
    of a hundred ports is free, the system chooses one.
    """
    for port in range(first, first + 100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as claim:
            try:
                claim.bind(("127.0.0.1", port))
            except OSError:
                continue
            if is_free(port):
                yield port
                return
    yield unused_port()


def is_free(port: int) -> bool:
    """Whether no process listens on a port of this machine."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def unused_port() -> int:
    """A free port, chosen by the system."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def ended_message(session: Session) -> str:
    """The error for a program that has ended unexpectedly."""
    return f"{session.name} has ended; its log ({session.log}) ends with\n{session.last_lines()}"


def _file(home: Home) -> Path:
    return home.path / "services.json"
