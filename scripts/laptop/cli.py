"""The commands: `run`, `up`, `down`, and `airflow`, which is Airflow's own."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence

from httpx import HTTPError
from redis.exceptions import RedisError

from laptop import params, run, starting, waiting, watch
from laptop.api import Refused
from laptop.components import airflow_command
from laptop.database import CannotRun
from laptop.home import Busy, Home
from laptop.progress import duration
from laptop.services import NotStarted, Services
from laptop.sessions import LeftRunning
from meanface_airflow.records import RecordError

PORT = 8080
FAILURES = (
    *(Busy, CannotRun, LeftRunning, NotStarted, RecordError, Refused, run.Failed, HTTPError, RedisError, ValueError),
)
"""What is told in a sentence; anything else is a defect, and told with its traceback."""


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    _forget_other_databases()
    try:
        return _done(sys.argv[1:] if words is None else list(words))
    except waiting.Stopped as stopped:
        print(f"stopped by {stopped}", file=sys.stderr)
        return stopped.exit_code
    except FAILURES as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 2 if isinstance(failure, params.WrongOption) else 1


def _forget_other_databases() -> None:
    """Take `PG*` out of the environment: PostgreSQL's library reads it, in this process and in those it starts."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _done(words: list[str]) -> int:
    if words[-2:-1] == ["--words"]:  # from make: a text of words, quoted as in a shell
        words = [*words[:-2], *_split(words[-1])]
    home = Home.of(dict(os.environ))
    if words[:1] == ["airflow"]:
        return _airflow(home, words[1:])
    if words == ["watch"]:
        return _keep_watch(home)
    arguments = _parser().parsed(words)
    waiting.listen()
    with home.lock():
        command: int = arguments.command(home, arguments)
        return command


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as unfinished:
        raise params.WrongOption(f"ARGS={text}: {unfinished}") from None


def _run(home: Home, arguments: argparse.Namespace) -> int:
    given = vars(arguments)
    conf = params.conf(arguments.dataset, given)
    services, took = _started(home, arguments.port, kept=False)
    try:
        print(f"Airflow     {services.address} (user admin, password {home.secrets['ui_password']})")
        began = time.monotonic()
        result = run.follow(services, conf, given.get("date"))
        print(run.told(result))
        start = f"{duration(took)} to start, " if took else ""
        print(f"time        {start}{duration(time.monotonic() - began)} to run")
        print("Airflow     " + ("stays up until `make down`" if services.kept else "stops now; `make up` keeps it"))
        print(f"files       {result['location']}\nreport      {result['location']}/report.html")
        return 0
    finally:
        if not services.kept:
            waiting.deaf()
            services.stop()


def _up(home: Home, arguments: argparse.Namespace) -> int:
    services, took = _started(home, arguments.port, kept=True)
    print(f"up in {took:.0f} s" if took else "already up")
    print(f"Airflow     {services.address} (user admin, password {home.secrets['ui_password']})")
    print(f"storage     {services.storage}")
    print(f"logs        {home.logs}")
    print(f"commands    `. {shlex.quote(str(home.environment))}`, then `airflow`; or make airflow ARGS=...")
    return 0


def _airflow(home: Home, words: Sequence[str]) -> int:
    """Become a command of Airflow's; at any time, also while another command runs."""
    services = Services.found(home)
    if services and services.has_database():
        command = airflow_command(*words)
        os.execve(command[0], command, services.settings(os.environ))  # noqa: S606 - without a shell
    print("Airflow is not up: `make up` starts it", file=sys.stderr)
    return 1


def _keep_watch(home: Home) -> int:
    """What `Services` starts beside the components."""
    waiting.listen()
    try:
        watch.keep(home, os.environ)
    except waiting.Stopped:
        return 0
    return 1


def _down(home: Home, _: argparse.Namespace) -> int:
    services = Services.found(home)
    if services is None:
        print("nothing is up")
        return 0
    waiting.deaf()
    services.stop()
    print("stopped")
    return 0


def _started(home: Home, port: int, kept: bool) -> tuple[Services, float]:
    """Running services, and the seconds that it took: those that are up, or new ones."""
    began = time.monotonic()
    before = Services.found(home)
    if before and before.kept and before.watched():
        before.refuse_other_choice(os.environ)
        starting.wait_until_ready(before, _say)
        return before, 0.0
    if before:
        ended = ", ".join(before.given_up)
        print(f"starting all again: {ended} stays down" if ended else "stopping what an interrupted command left")
        before.stop()
    print("starting Airflow, PostgreSQL and Valkey")
    return starting.start(home, os.environ, port, kept, _say), time.monotonic() - began


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> params.Parser:
    parser = params.Parser(prog="local.py", description=__doc__, epilog="airflow ...: a command of Airflow's")
    commands = parser.add_subparsers(required=True)
    for name, command, what in (
        ("run", _run, "run the DAG on a dataset, show how far it is, print the result"),
        ("up", _up, "start Airflow and Valkey and leave them running"),
        ("down", _down, "stop what `up` started"),
    ):
        one = commands.add_parser(name, help=what, description=what)
        one.set_defaults(command=command)
        if name in ("run", "up"):
            one.add_argument("--port", type=int, default=PORT, help="the UI's port; if it is in use, the next free one")
        if name == "run":
            one.add_argument("--dataset", default="sample", help="sample, lfw, a path or a URL (default: %(default)s)")
            params.add_options(one)
    return parser
