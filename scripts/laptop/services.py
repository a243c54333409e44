"""What runs of a local Airflow: noted, found again, restarted, stopped."""

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

LAST = ((("api-server",), 1.5), (("valkey", "postgresql"), 2.5))
"""What the others still speak to while they stop, in this order, and the seconds that each has to stop.

Tasks speak to the API and to Valkey, and all of Airflow to its database. Together with the others' time it is less than
ten seconds: what is killed then has lost nothing that was committed."""


class NotStarted(Exception):
    """A component ended, or was not ready in time."""


@dataclass
class Services:
    """What is running, and where it answers; noted in the home so that another command finds it."""

    home: Home
    ui_port: int
    valkey_port: int
    socket: str
    """the folder of the database's socket"""
    storage: str
    """where the stages keep results, as it was chosen when they started"""
    kept: bool
    """whether it stays when the command that started it ends"""
    chosen: dict[str, str] = field(default_factory=dict)
    """`MEANFACE_*` of the environment in which they started"""
    sessions: list[Session] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    """components that have ended too often and stay down"""

    @classmethod
    def found(cls, home: Home) -> Services | None:
        """What an earlier command left running, whole or in part; None where it left nothing."""
        try:
            noted = json.loads(_note(home).read_text())
        except FileNotFoundError:
            return None
        try:
            started = [Session(**session) for session in noted["sessions"]]
            return cls(home, **(noted | {"sessions": started}))
        except TypeError:
            ids = ",".join(str(session["id"]) for session in noted["sessions"])
            raise NotStarted(
                f"Airflow in {home.path} was started by another version of meanface: end it by that version's "
                f"`make down`, or by `pkill -s {ids}; rm {_note(home)}`"
            ) from None

    @property
    def address(self) -> str:
        """The UI's address."""
        return f"http://127.0.0.1:{self.ui_port}"

    @property
    def redis_url(self) -> str:
        """Valkey's address with its password."""
        return environment.redis_url(self.home, self.valkey_port)

    def settings(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Environment of Airflow's commands."""
        chosen = {**inherited, "MEANFACE_STORAGE": self.storage}
        return environment.of_airflow(self.home, self.ui_port, self.valkey_port, self.socket, chosen)

    def refuse_other_choice(self, inherited: Mapping[str, str]) -> None:
        """Raise NotStarted where an environment chooses other settings of the stages than those that they run with."""
        before = self.settings(self.chosen)
        other = [name for name, value in environment.chosen(inherited).items() if value != before.get(name)]
        if other:
            raise NotStarted(
                f"Airflow was started with another {', '.join(other)} than this command has: stop it by `make down`, "
                "and start it again"
            )

    def programs(self, inherited: Mapping[str, str]) -> dict[str, Program]:
        """What is watched, by name, in the order in which it starts."""
        settings = self.settings(inherited)
        found = [components.postgresql(self.home, self.socket), components.valkey(self.home, self.valkey_port)]
        found += [components.airflow(name, settings) for name in components.OF_AIRFLOW]
        return {program.name: program for program in found}

    def has_database(self) -> bool:
        """Whether PostgreSQL is running, which is all that Airflow's commands need."""
        return any(session.name == "postgresql" and session.alive() for session in self.sessions)

    def watched(self) -> bool:
        """Whether the watch runs, which starts again what ends, and has given up nothing."""
        return not self.given_up and any(session.name == "watch" and session.alive() for session in self.sessions)

    def client(self) -> Airflow:
        """A client of Airflow's API, not logged in yet."""
        return Airflow(self.address, self.home.secrets["ui_password"])

    def check(self) -> None:
        """Raise NotStarted where a component has ended for good, or nothing would start it again."""
        self._reload()
        for session in self.sessions:
            if session.name in self.given_up or (session.name == "watch" and not session.alive()):
                raise NotStarted(end_of(session))

    def restart(self, session: Session, program: Program) -> None:
        """Start a component again that has ended; what it left running is stopped, and its log goes on."""
        sessions.stop([session], grace=0)
        if session.name == "postgresql":
            database.release(self.home, self.socket)
        self.sessions[self.sessions.index(session)] = sessions.start(program, Path(session.log))
        self._save()

    def give_up(self, name: str) -> None:
        """Note that a component stays down."""
        self.given_up.append(name)
        self._save()

    def stop(self) -> None:
        """Stop everything; last what the others still speak to while they stop.

        Raises
        ------
        LeftRunning
            naming processes that even SIGKILL did not end
        """
        sessions.stop([session for session in self.sessions if session.name == "watch"], grace=5)
        self._reload()
        last = {name for group, _ in LAST for name in group}
        sessions.stop([session for session in self.sessions if session.name not in last], grace=3.5)
        for group, grace in LAST:
            sessions.stop([session for session in self.sessions if session.name in group], grace=grace)
        database.remove_socket_folder(self.home, self.socket)
        self.home.environment.unlink(missing_ok=True)
        _note(self.home).unlink(missing_ok=True)
        self.sessions.clear()

    def launch(self, program: Program) -> Session:
        """Start a program, and note it; the log of the start before stays beside its log."""
        log = self.home.logs / f"{program.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        session = sessions.start(program, log)
        self.sessions.append(session)
        self._save()
        return session

    def finish(self, program: Program, ended: Callable[[Session], bool]) -> None:
        """Run a program to its end, for which `ended` waits."""
        session = self.launch(program)
        in_time = ended(session)
        self.sessions.remove(session)
        if not in_time or sessions.exit_code(session) != 0:
            sessions.stop([session])
            raise NotStarted(f"{session.name} failed; its log ({session.log}) ends with\n{session.last_lines()}")

    def _save(self) -> None:
        """Note what is running."""
        noted = asdict(self)
        noted.pop("home")
        write_private(_note(self.home), json.dumps(noted))

    def _reload(self) -> None:
        """Take over what the watch has changed."""
        if found := Services.found(self.home):
            self.sessions, self.given_up = found.sessions, found.given_up


@contextmanager
def claimed_port(first: int) -> Iterator[int]:
    """A free port, the first one from `first` on if one of a hundred is; no other start takes it while this block runs.

    A server takes its port only some 20 seconds after its start. The claim is the UDP port of the same number, which
    the server does not use, and which ends with the process.
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
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def unused_port() -> int:
    """A port of the system's choice."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def end_of(session: Session) -> str:
    """What to print where a program has ended that should not."""
    return f"{session.name} has ended; its log ({session.log}) ends with\n{session.last_lines()}"


def _note(home: Home) -> Path:
    return home.path / "services.json"
