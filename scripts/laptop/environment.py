"""Airflow's settings for one machine, pure: the environment of its components."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from laptop import database
from laptop.home import CHECKOUT, Home

TASKS_AT_ONCE = 2
"""An embed stage takes every CPU; a second one starts up while the first computes, and more only take memory."""


def redis_url(home: Home, port: int) -> str:
    """Address of the embedded Valkey."""
    return f"redis://:{home.secrets['valkey_password']}@127.0.0.1:{port}/0"


def storage(home: Home, inherited: Mapping[str, str]) -> str:
    """Where the stages keep results: in the home, if nothing else is chosen."""
    return inherited.get("MEANFACE_STORAGE") or str(home.storage)


def chosen(inherited: Mapping[str, str]) -> dict[str, str]:
    """Settings of the stages in an environment."""
    return {
        name: value for name, value in inherited.items() if name.startswith("MEANFACE_") and name != "MEANFACE_HOME"
    }


def of_airflow(home: Home, ui_port: int, valkey_port: int, socket: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """Environment of every component of Airflow.

    What is inherited may choose the stages' settings (`MEANFACE_*`) and their access to storage; the settings of
    another Airflow or another PostgreSQL it may not. `socket` is the folder of the database's socket.
    """
    address = f"http://127.0.0.1:{ui_port}"
    connection = {
        "conn_type": "redis",
        "host": "127.0.0.1",
        "port": valkey_port,
        "password": home.secrets["valkey_password"],
    }
    chosen = {
        "MEANFACE_EXECUTABLE": str(CHECKOUT / ".venvs/meanface/bin/meanface"),
        "MEANFACE_STORAGE": storage(home, inherited),
        "MEANFACE_PRIVATE_ADDRESSES": "dataset",  # a person types it, who could ask that address himself
    }
    others = {name: value for name, value in inherited.items() if not name.startswith(("AIRFLOW_", "PG"))}
    here = ",".join(filter(None, (inherited.get("NO_PROXY") or inherited.get("no_proxy"), "127.0.0.1,localhost")))
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
        # Runs come from people and `airflow backfill create`: a daily one would compete with them.
        # The tasks of a scheduler that was killed are taken up when it was silent for the threshold; on busy cores a
        # living one can be silent for long.
        "SCHEDULER": {
            "ORPHANED_TASKS_CHECK_INTERVAL": "15",
            "SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
            "SCHEDULER_IDLE_SLEEP_TIME": "0.25",
            "USE_JOB_SCHEDULE": "False",
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
        # A supervisor that misses its task's end notices it this many seconds later, and holds its slot until then.
        "WORKERS": {"EXECUTION_API_TIMEOUT": "60", "MIN_HEARTBEAT_INTERVAL": "1"},
    }
    return (
        others
        | {name: inherited.get(name) or value for name, value in chosen.items()}
        | {f"AIRFLOW__{section}__{name}": value for section, names in sections.items() for name, value in names.items()}
        | {
            "AIRFLOW_HOME": str(home.airflow),
            "AIRFLOW_CONN_MEANFACE_REDIS": json.dumps(connection),
            "MEANFACE_RUNTIME": "process",
            "NO_PROXY": here,
            "no_proxy": here,
        }
    )


def of_a_shell(home: Home, settings: Mapping[str, str]) -> str:
    """Airflow's settings, for a POSIX shell that reads them, and the command `airflow` for its path."""
    ours = {name: value for name, value in settings.items() if name.startswith(("AIRFLOW_", "MEANFACE_"))}
    ours["MEANFACE_HOME"] = str(home.path)
    folder = shlex.quote(str(CHECKOUT / "scripts/bin"))
    return "\n".join(
        [
            "# Settings of the local Airflow, with its secrets: `. .local/environment` takes them into a shell.",
            *(f"export {name}={shlex.quote(value)}" for name, value in sorted(ours.items())),
            f'case ":$PATH:" in *:{folder}:*) ;; *) PATH={folder}:$PATH ;; esac',
            "",
        ]
    )


def of_valkey(home: Home, port: int) -> str:
    """Valkey's configuration; it goes to its standard input, where no process list shows the password."""
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
