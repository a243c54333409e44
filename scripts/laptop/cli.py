"""The commands `run`, `up`, `down`, and `airflow`, which runs Airflow's own command."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence

from httpx import HTTPError
from redis.exceptions import RedisError

from laptop import params, run, startup, waiting, watch
from laptop.api import ApiError
from laptop.components import airflow_command
from laptop.database import CannotRun
from laptop.home import Busy, Home
from laptop.progress import duration
from laptop.services import ServiceError, Services
from laptop.sessions import StillRunning
from meanface_airflow.records import RecordError

PORT = 8080
EXPECTED_ERRORS = (
    *(Busy, CannotRun, StillRunning, ServiceError, RecordError, ApiError, run.RunFailed),
    *(HTTPError, RedisError, ValueError),
)
"""Errors that are printed as one sentence; any other error is a bug, and printed with its
traceback."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    _remove_postgresql_variables()
    try:
        return _execute(sys.argv[1:] if words is None else list(words))
    except waiting.Interrupted as interrupted:
        print(f"stopped by {interrupted}", file=sys.stderr)
        return interrupted.exit_code
    except EXPECTED_ERRORS as error:
        print(f"\n{error}", file=sys.stderr)
        return 2 if isinstance(error, params.OptionError) else 1


def _remove_postgresql_variables() -> None:
    """Remove `PG*` from the environment, which PostgreSQL's client library would read."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _execute(words: list[str]) -> int:
    if words[-2:-1] == ["--words"]:  # from make: options in one text, quoted as in a shell
        words = [*words[:-2], *_split(words[-1])]
    home = Home.of(dict(os.environ))
    if words[:1] == ["airflow"]:
        return _airflow(home, words[1:])
    if words == ["watch"]:
        return _watch(home)
    arguments = _parser().parse(words)
    waiting.handle_signals()
    with home.lock():
        command: int = arguments.command(home, arguments)
        return command


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise params.OptionError(f"ARGS={text}: {error}: quote its words as for a shell") from None


def _run(home: Home, arguments: argparse.Namespace) -> int:
    options = vars(arguments)
    conf = params.conf(arguments.dataset, options)
    services, took = _start_or_find(home, arguments.port, kept=False)
    try:
        print(f"Airflow     {services.address} (user admin, password {home.secrets['ui_password']})")
        began = time.monotonic()
        result = run.follow(services, conf, options.get("date"))
        print(run.summary(result))
        start = f"{duration(took)} to start, " if took else ""
        print(f"time        {start}{duration(time.monotonic() - began)} to run")
        print("Airflow     " + ("stays up until `make down`" if services.kept else "stops now; `make up` keeps it"))
        print(f"files       {result['location']}\nreport      {result['location']}/report.html")
        return 0
    finally:
        if not services.kept:
            waiting.ignore_signals()
            services.stop()


def _up(home: Home, arguments: argparse.Namespace) -> int:
    services, took = _start_or_find(home, arguments.port, kept=True)
    print(f"up in {took:.0f} s" if took else "already up")
    print(f"Airflow     {services.address} (user admin, password {home.secrets['ui_password']})")
    print(f"storage     {services.storage}")
    print(f"logs        {home.logs}")
    print(f"commands    `. {shlex.quote(str(home.environment))}`, then `airflow`; or make airflow ARGS=...")
    return 0


def _airflow(home: Home, words: Sequence[str]) -> int:
    """Replace this process by a command of Airflow's; works while another command runs, too."""
    services = Services.load(home)
    if services and services.has_database():
        command = airflow_command(*words)
        os.execve(command[0], command, services.settings(os.environ))  # noqa: S606 - without a shell
    print("Airflow is not up: `make up` starts it", file=sys.stderr)
    return 1


def _watch(home: Home) -> int:
    """Watch the components; `Services` starts this command beside them."""
    waiting.handle_signals()
    try:
        watch.run(home, os.environ)
    except waiting.Interrupted:
        return 0
    return 1


def _down(home: Home, _: argparse.Namespace) -> int:
    services = Services.load(home)
    if services is None:
        print("nothing to stop: Airflow is not up")
        return 0
    waiting.ignore_signals()
    services.stop()
    print("stopped")
    return 0


def _start_or_find(home: Home, port: int, kept: bool) -> tuple[Services, float]:
    """The services that are up, or new ones; and the seconds that their start took."""
    began = time.monotonic()
    before = Services.load(home)
    if before and before.kept and before.watched():
        before.check_settings(os.environ)
        startup.wait_until_ready(before, _report)
        return before, 0.0
    if before:
        ended = ", ".join(before.given_up)
        print(f"restarting everything: {ended} stays down" if ended else "stopping processes of an interrupted command")
        before.stop()
    print("starting Airflow, PostgreSQL and Valkey")
    return startup.start(home, os.environ, port, kept, _report), time.monotonic() - began


def _report(text: str) -> None:
    print(text, flush=True)


def _parser() -> params.Parser:
    parser = params.Parser(prog="local.py", description=__doc__, epilog="airflow ...: run a command of Airflow's")
    commands = parser.add_subparsers(required=True)
    for name, command, description in (
        ("run", _run, "run the DAG on a dataset, show its progress, print the result"),
        ("up", _up, "start Airflow, PostgreSQL and Valkey and keep them running"),
        ("down", _down, "stop what `up` started"),
    ):
        added = commands.add_parser(name, help=description, description=description)
        added.set_defaults(command=command)
        if name in ("run", "up"):
            added.add_argument("--port", type=int, default=PORT, help="port of the UI (8080), or the next free one")
        if name == "run":
            added.add_argument("--dataset", default="sample", help="sample (the default), lfw, a path or a URL")
            params.add_options(added)
    return parser
