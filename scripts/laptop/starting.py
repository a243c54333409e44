"""The start of a local Airflow, until the DAG can be triggered."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version

import httpx
from redis import Redis
from redis.exceptions import RedisError

from laptop import components, database, environment
from laptop.api import Airflow, Refused
from laptop.home import Home, write_private
from laptop.services import NotStarted, Services, claimed_port, end_of, unused_port
from laptop.sessions import Program
from laptop.waiting import until

DEADLINE = 180.0
"""Seconds that each component may take to start; a slow laptop's first start takes a minute."""

Say = Callable[[str], None]


def start(home: Home, inherited: Mapping[str, str], port: int, kept: bool, say: Say) -> Services:
    """Start everything; what was started is stopped if that fails.

    Raises
    ------
    NotStarted
        naming the component, with the end of its log
    """
    with claimed_port(port) as ui_port:
        if ui_port != port:
            say(f"port {port} is in use; the UI takes {ui_port}")
        storage = environment.storage(home, inherited)
        chosen = environment.chosen(inherited)
        services = Services(home, ui_port, unused_port(), database.socket_folder(home), storage, kept, chosen)
        try:
            _start(services, inherited, say)
        except BaseException:
            services.stop()
            raise
    return services


def wait_until_ready(services: Services, say: Say) -> None:
    """Wait until components that are up answer: the watch may have started some of them again just now."""
    _Wait(services, services.check, say).for_all()


def _start(services: Services, inherited: Mapping[str, str], say: Say) -> None:
    def check() -> None:
        for session in services.sessions:
            if not session.alive():
                raise NotStarted(end_of(session))

    waiting = _Wait(services, check, say)
    _make_database(services, waiting)
    postgresql, valkey, *others, last = services.programs(inherited).values()
    services.launch(postgresql)
    services.launch(valkey)
    waiting.until("postgresql", lambda: database.answers(services.socket))
    _migrate(services, last.environment, waiting)
    write_private(services.home.environment, environment.of_a_shell(services.home, last.environment))
    for program in others:
        services.launch(program)
    waiting.for_all()
    services.launch(last)  # later than the others, so that it does not keep them from the CPU
    services.launch(components.watch(services.home, inherited))


def _make_database(services: Services, waiting: _Wait) -> None:
    """Make the database where there is none yet, and let go of what a killed server holds."""
    folder = database.data(services.home)
    if folder.exists():
        database.release(services.home, services.socket)
        return
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    waiting.finish(Program("initdb", database.making(unfinished), database.ENVIRONMENT))
    unfinished.rename(folder)


def _migrate(services: Services, settings: Mapping[str, str], waiting: _Wait) -> None:
    """Make or upgrade Airflow's tables, once per version of Airflow; even to look takes it seconds."""
    done = database.data(services.home).with_suffix(".migrated")
    if done.exists() and done.read_text() == version("apache-airflow"):
        return
    waiting.finish(Program("migrate", components.airflow_command("db", "migrate"), settings))
    done.write_text(version("apache-airflow"))


class _Wait:
    """Waits for components, and says every seven seconds that it does; `check` raises where waiting is in vain."""

    def __init__(self, services: Services, check: Callable[[], None], say: Say) -> None:
        self._services, self._check, self._say = services, check, say

    def until(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a component is ready."""

        def done() -> bool:
            self._check()
            return ready()

        if not until(done, DEADLINE, tell=lambda seconds: self._say(f"waiting for {name}, {seconds:.0f} s")):
            session = next(session for session in self._services.sessions if session.name == name)
            raise NotStarted(
                f"{name} was not ready in {DEADLINE:.0f} s; its log ({session.log}) ends with\n{session.last_lines()}"
            )

    def finish(self, program: Program) -> None:
        """Run a program to its end."""
        self._services.finish(
            program,
            lambda session: until(
                lambda: not session.alive(),
                DEADLINE,
                tell=lambda seconds: self._say(f"waiting for {program.name}, {seconds:.0f} s"),
            ),
        )

    def for_all(self) -> None:
        """Wait until Valkey and Airflow answer, and the DAG is known."""
        self.until("valkey", lambda: _answers(self._ping))
        with self._services.client() as client:
            self.until("api-server", lambda: _answers(client.log_in))
            self.until("scheduler", lambda: _answers(lambda: _healthy(client.health())))
            self.until("dag-processor", lambda: _parsed(client))

    def _ping(self) -> None:
        with Redis.from_url(self._services.redis_url) as redis:
            redis.ping()


def _parsed(client: Airflow) -> bool:
    try:
        return client.knows_dag()
    except httpx.TransportError:
        return False


def _healthy(health: Mapping[str, str | None]) -> None:
    if health.get("scheduler") != "healthy":
        raise Refused("no scheduler")


def _answers(call: Callable[[], None]) -> bool:
    try:
        call()
    except (httpx.TransportError, RedisError, Refused):
        return False
    return True
