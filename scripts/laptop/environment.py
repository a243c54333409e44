"""Airflow's settings for one machine: the environment of its components; pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from laptop import database
from laptop.home import CHECKOUT, Home

TASKS_AT_ONCE = 2
"""An embed stage uses every CPU. A second one starts up meanwhile; more would only use memory."""


def redis_url(home: Home, port: int) -> str:
    """URL of the embedded Valkey, with its password."""
    return f"redis://:{home.secrets['valkey_password']}@127.0.0.1:{port}/0"


def storage(home: Home, inherited: Mapping[str, str]) -> str:
    """Where the stages write results; by default in the home."""
    return inherited.get("MEANFACE_STORAGE") or str(home.storage)


def stage_settings(inherited: Mapping[str, str]) -> dict[str, str]:
    """The stages' settings (`MEANFACE_*`) in an environment."""
    return {
        name: value for name, value in inherited.items() if name.startswith("MEANFACE_") and name != "MEANFACE_HOME"
    }


def airflow_environment(
    home: Home, ui_port: int, valkey_port: int, socket: str, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Environment of every component of Airflow.

    Parameters
    ----------
    socket
        the folder of the database's socket
    inherited
        the caller's environment; settings of the stages (`MEANFACE_*`) and their access to storage
        are inherited, settings of another Airflow or PostgreSQL are not
    """
    connection = {
        "conn_type": "redis",
        "host": "127.0.0.1",
        "port": valkey_port,
        "password": home.secrets["valkey_password"],
    }
    defaults = {
        "MEANFACE_EXECUTABLE": str(CHECKOUT / ".venvs/meanface/bin/meanface"),
        "MEANFACE_STORAGE": storage(home, inherited),
        "MEANFACE_PRIVATE_ADDRESSES": "dataset",  # the user who types an address can reach it anyway
    }
    others = {name: value for name, value in inherited.items() if not name.startswith(("AIRFLOW_", "PG"))}
    here = ",".join(filter(None, (inherited.get("NO_PROXY") or inherited.get("no_proxy"), "127.0.0.1,localhost")))
    return (
        others
        | {name: inherited.get(name) or value for name, value in defaults.items()}
        | _airflow_options(home, ui_port, socket)
        | {
            "AIRFLOW_HOME": str(home.airflow),
            "AIRFLOW_CONN_MEANFACE_REDIS": json.dumps(connection),
            "MEANFACE_RUNTIME": "process",
            "NO_PROXY": here,
            "no_proxy": here,
        }
    )


def _airflow_options(home: Home, ui_port: int, socket: str) -> dict[str, str]:
    """Airflow's own options, as variables `AIRFLOW__SECTION__NAME`."""
    address = f"http://127.0.0.1:{ui_port}"
    sections = {
        "CORE": {
            "AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "DAGBAG_IMPORT_TIMEOUT": "120",
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "DAGS_FOLDER": str(CHECKOUT / "dags"),
            "EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "EXECUTOR": "LocalExecutor",
            "FERNET_KEY": home.secrets["fernet_key"],
            "LOAD_EXAMPLES": "False",
            "PARALLELISM": str(TASKS_AT_ONCE),
            "PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords),
            "SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        },
        "DATABASE": {"SQL_ALCHEMY_CONN": database.address(socket)},
        "DAG_PROCESSOR": {"DAG_FILE_PROCESSOR_TIMEOUT": "180"},
        "API": {
            "BASE_URL": address,
            "HOST": "127.0.0.1",
            "PORT": str(ui_port),
            "SECRET_KEY": home.secrets["api_secret"],
            "WORKERS": "1",
        },
        "API_AUTH": {"JWT_SECRET": home.secrets["jwt_secret"], "JWT_EXPIRATION_TIME": str(30 * 24 * 3600)},
        "LOGGING": {"BASE_LOG_FOLDER": str(home.logs / "tasks")},
        "SCHEDULER": {
            "ORPHANED_TASKS_CHECK_INTERVAL": "15",
            # A killed scheduler's tasks are adopted when its heartbeat is older than this. On busy
            # cores a living scheduler's heartbeat can be old, too.
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
            "SCHEDULER_IDLE_SLEEP_TIME": "0.25",
            # No daily runs: they would compete with those that the user triggers or backfills.
            "USE_JOB_SCHEDULE": "False",
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
        # A supervisor that misses its task's end notices it after this timeout, and keeps its slot
        # until then.
        "WORKERS": {"EXECUTION_API_TIMEOUT": "60", "MIN_HEARTBEAT_INTERVAL": "1"},
    }
    return {
        f"AIRFLOW__{section}__{name}": value for section, names in sections.items() for name, value in names.items()
    }


def shell_settings(home: Home, settings: Mapping[str, str]) -> str:
    """A script that gives a POSIX shell Airflow's settings, and the command `airflow`."""
    exported = {name: value for name, value in settings.items() if name.startswith(("AIRFLOW_", "MEANFACE_"))}
    exported["MEANFACE_HOME"] = str(home.path)
    folder = shlex.quote(str(CHECKOUT / "scripts/bin"))
    return "\n".join(
        [
            "# Settings of the local Airflow, with its secrets: `. .local/environment` sets them in a shell.",
            *(f"export {name}={shlex.quote(value)}" for name, value in sorted(exported.items())),
            f'case ":$PATH:" in *:{folder}:*) ;; *) PATH={folder}:$PATH ;; esac',
            "",
        ]
    )


def valkey_config(home: Home, port: int) -> str:
    """Valkey's configuration, for its standard input; a process list would show the password."""
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {home.secrets['valkey_password']}",
            f'dir "{home.valkey}"',
            "appendonly yes",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
            "",
        ]
    )
