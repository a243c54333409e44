"""PostgreSQL, Valkey and Airflow's four components: started, found again, stopped."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import httpx
from redis import Redis
from redis.exceptions import RedisError

from laptop import components, database, environment, sessions
from laptop.api import Airflow, Refused
from laptop.home import Home, write_private
from laptop.sessions import Program, Session
from laptop.waiting import until

DEADLINE = 180.0
"""Seconds that Airflow may take to start; a slow laptop's first start takes a minute."""

LAST = ("api-server", "valkey", "postgresql")
"""What the others still speak to while they stop: tasks to the API and to Valkey, all of Airflow to its database."""


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
    kept: bool
    """whether it stays when the command that started it ends"""
    sessions: list[Session] = field(default_factory=list)

    @classmethod
    def found(cls, home: Home) -> Services | None:
        """What an earlier command left running, whole or in part; None where it left nothing."""
        try:
            noted = json.loads(_note(home).read_text())
        except FileNotFoundError:
            return None
        started = [Session(**session) for session in noted.pop("sessions")]
        return cls(home, sessions=started, **noted)

    @classmethod
    def start(
        cls, home: Home, inherited: dict[str, str], port: int, kept: bool, say: Callable[[str], None]
    ) -> Services:
        """Start everything and wait until the DAG can be triggered; what was started is stopped if that fails.

        Raises
        ------
        NotStarted
            naming the component, with the end of its log
        """
        ui_port = next((free for free in range(port, port + 100) if is_free(free)), unused_port())
        if ui_port != port:
            say(f"port {port} is in use; the UI takes {ui_port}")
        services = cls(home, ui_port, unused_port(), database.socket_folder(home), kept)
        try:
            services._start(inherited)
        except BaseException:
            services.stop()
            raise
        return services

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
        return environment.of_airflow(self.home, self.ui_port, self.valkey_port, self.socket, inherited)

    def alive(self) -> bool:
        """Whether every program is running."""
        return bool(self.sessions) and all(session.alive() for session in self.sessions)

    def client(self) -> Airflow:
        """A client of Airflow's API, not logged in yet."""
        return Airflow(self.address, self.home.secrets["ui_password"])

    def check(self) -> None:
        """Raise NotStarted where a program has ended."""
        for session in self.sessions:
            if not session.alive():
                raise NotStarted(f"{session.name} has ended; its log ({session.log}) ends with\n{session.last_lines()}")

    def stop(self) -> None:
        """Stop everything; last what the others still speak to while they stop.

        Raises
        ------
        LeftRunning
            where a process or a port is still in use
        """
        sessions.stop(session for session in self.sessions if session.name not in LAST)
        for name in LAST:
            sessions.stop(session for session in self.sessions if session.name == name)
        if self.sessions:
            for port in (self.ui_port, self.valkey_port):
                if not is_free(port):
                    raise sessions.LeftRunning(f"port {port} is still in use")
        database.remove_socket_folder(self.home, self.socket)
        _note(self.home).unlink(missing_ok=True)
        self.sessions.clear()

    def _start(self, inherited: dict[str, str]) -> None:
        settings = self.settings(inherited)
        self._make_database()
        self._launch(components.postgresql(self.home, self.socket))
        self._launch(components.valkey(self.home, self.valkey_port))
        self._wait("postgresql", lambda: database.answers(self.socket))
        self._migrate(settings)
        *waited_for, last = (components.airflow(name, settings) for name in components.OF_AIRFLOW)
        for component in waited_for:
            self._launch(component)
        self._wait("valkey", self._valkey_answers)
        with self.client() as client:
            self._wait("api-server", lambda: _answers(client.log_in))
            self._wait("scheduler", lambda: client.health().get("scheduler") == "healthy")
            self._wait("dag-processor", client.knows_dag)
        self._launch(last)  # later than the others, so that it does not keep them from the CPU

    def _launch(self, program: Program) -> Session:
        session = sessions.start(program, self.home.logs / f"{program.name}.log")
        self.sessions.append(session)
        self._save()
        return session

    def _save(self) -> None:
        """Note what is running."""
        noted = asdict(self)
        noted.pop("home")
        write_private(_note(self.home), json.dumps(noted))

    def _make_database(self) -> None:
        """Make the database where there is none yet, and let go of what a killed server holds."""
        folder = database.data(self.home)
        if folder.exists():
            database.release(self.home)
            return
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self._finish(Program("initdb", database.making(unfinished), database.ENVIRONMENT))
        unfinished.rename(folder)

    def _migrate(self, settings: dict[str, str]) -> None:
        """Make or upgrade Airflow's tables, once per version of Airflow; even to look takes it seconds."""
        done = database.data(self.home).with_suffix(".migrated")
        if done.exists() and done.read_text() == version("apache-airflow"):
            return
        self._finish(Program("migrate", components.airflow_command("db", "migrate"), settings))
        done.write_text(version("apache-airflow"))

    def _finish(self, program: Program) -> None:
        """Run a program to its end."""
        session = self._launch(program)
        ended = until(lambda: not session.alive(), DEADLINE)
        self.sessions.remove(session)
        if not ended or sessions.exit_code(session) != 0:
            sessions.stop([session])
            raise NotStarted(f"{session.name} failed; its log ({session.log}) ends with\n{session.last_lines()}")

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        def done() -> bool:
            self.check()
            return ready()

        if not until(done, DEADLINE):
            session = next(session for session in self.sessions if session.name == name)
            raise NotStarted(
                f"{name} was not ready in {DEADLINE:.0f} s; its log ({session.log}) ends with\n{session.last_lines()}"
            )

    def _valkey_answers(self) -> bool:
        with Redis.from_url(self.redis_url) as redis:
            try:
                return bool(redis.ping())
            except RedisError:
                return False


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


def _answers(call: Callable[[], None]) -> bool:
    try:
        call()
    except (httpx.TransportError, Refused):
        return False
    return True


def _note(home: Home) -> Path:
    return home.path / "services.json"
