"""Start a local Airflow, until the DAG can be triggered."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version

import httpx
from redis import Redis
from redis.exceptions import RedisError

from laptop import components, database, environment
from laptop.api import Airflow, ApiError
from laptop.home import Home, write_private
from laptop.services import ServiceError, Services, claimed_port, ended_message, unused_port
from laptop.sessions import Program
from laptop.waiting import until

DEADLINE = 180.0
"""Seconds that each component may take to start; on a slow laptop the first start takes a
minute."""

Report = Callable[[str], None]


def start(home: Home, inherited: Mapping[str, str], port: int, kept: bool, report: Report) -> Services:
    """Start all components, and stop them again if one fails.

    Raises
    ------
    ServiceError
        with the name of the failed component and the end of its log
    """
    with claimed_port(port) as ui_port:
        if ui_port != port:
            report(f"port {port} is in use; the UI uses port {ui_port}")
        storage = environment.storage(home, inherited)
        chosen = environment.stage_settings(inherited)
        services = Services(home, ui_port, unused_port(), database.socket_folder(home), storage, kept, chosen)
        try:
            _start(services, inherited, report)
        except BaseException:
            services.stop()
            raise
    return services


def wait_until_ready(services: Services, report: Report) -> None:
    """Wait until running components respond: the watch may have just restarted some."""
    _Wait(services, services.check, report).for_all()


def _start(services: Services, inherited: Mapping[str, str], report: Report) -> None:
    def check() -> None:
        for session in services.sessions:
            if not session.alive():
                raise ServiceError(ended_message(session))

    waiting = _Wait(services, check, report)
    _prepare_database(services, waiting)
    postgresql, valkey, *others, last = services.programs(inherited).values()
    services.launch(postgresql)
    services.launch(valkey)
    waiting.until("postgresql", lambda: database.is_ready(services.socket))
    _migrate(services, last.environment, waiting)
    write_private(services.home.environment, environment.shell_settings(services.home, last.environment))
    for program in others:
        services.launch(program)
    waiting.for_all()
    services.launch(last)  # after the others, so that it does not compete with them for the CPU
    services.launch(components.watch(services.home, inherited))


def _prepare_database(services: Services, waiting: _Wait) -> None:
    """Create the database, or clean up after a killed server."""
    folder = database.data_folder(services.home)
    if folder.exists():
        database.clean_up(services.home, services.socket)
        return
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    waiting.finish(Program("initdb", database.create_command(unfinished), database.ENVIRONMENT))
    unfinished.rename(folder)


def _migrate(services: Services, settings: Mapping[str, str], waiting: _Wait) -> None:
    """Create or upgrade Airflow's tables once per version; even a check takes seconds."""
    done = database.data_folder(services.home).with_suffix(".migrated")
    if done.exists() and done.read_text() == version("apache-airflow"):
        return
    waiting.finish(Program("migrate", components.airflow_command("db", "migrate"), settings))
    done.write_text(version("apache-airflow"))


class _Wait:
    """Waits for components, with a report every seven seconds; `check` raises if one fails."""

    def __init__(self, services: Services, check: Callable[[], None], report: Report) -> None:
        self._services, self._check, self._report = services, check, report

    def until(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a component is ready."""

        def done() -> bool:
            self._check()
            return ready()

        if not until(done, DEADLINE, lambda seconds: self._report(f"waiting for {name}, {seconds:.0f} s")):
            session = next(session for session in self._services.sessions if session.name == name)
            raise ServiceError(
                f"{name} was not ready in {DEADLINE:.0f} s; its log ({session.log}) ends with\n{session.last_lines()}"
            )

    def finish(self, program: Program) -> None:
        """Run a program to its end."""
        self._services.finish(
            program,
            lambda session: until(
                lambda: not session.alive(),
                DEADLINE,
                lambda seconds: self._report(f"waiting for {program.name}, {seconds:.0f} s"),
            ),
        )

    def for_all(self) -> None:
        """Wait until Valkey and Airflow respond, and Airflow has parsed the DAG."""
        self.until("valkey", lambda: _succeeds(self._ping))
        with self._services.client() as client:
            self.until("api-server", lambda: _succeeds(client.log_in))
            self.until("scheduler", lambda: _succeeds(lambda: _require_scheduler(client.health())))
            self.until("dag-processor", lambda: _has_dag(client))

    def _ping(self) -> None:
        with Redis.from_url(self._services.redis_url) as redis:
            redis.ping()


def _has_dag(client: Airflow) -> bool:
    try:
        return client.has_dag()
    except httpx.TransportError:
        return False


def _require_scheduler(health: Mapping[str, str | None]) -> None:
    if health.get("scheduler") != "healthy":
        raise ApiError("the scheduler is not healthy")


def _succeeds(call: Callable[[], None]) -> bool:
    try:
        call()
    except (httpx.TransportError, RedisError, ApiError):
        return False
    return True
