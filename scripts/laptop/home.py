"""The folder of a local Airflow, whose files only their owner can read."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


class Busy(Exception):
    """Another command is using the folder."""


@dataclass(frozen=True)
class Home:
    """The folder: MEANFACE_HOME, or `.local` in the checkout."""

    path: Path

    @classmethod
    def of(cls, environment: dict[str, str]) -> Home:
        """The folder, which is created if it does not exist.

        Raises
        ------
        ValueError
            if its path contains a variable such as `$HOME`, which Airflow would replace
        """
        home = cls(Path(environment.get("MEANFACE_HOME") or CHECKOUT / ".local").absolute())
        for path in (str(home.path), str(CHECKOUT)):
            if os.path.expandvars(path) != path:
                raise ValueError(
                    f"{path}: Airflow would replace the variable in this path by its value: move the checkout, "
                    "or set MEANFACE_HOME to another folder"
                )
        for folder in (home.path, home.logs, home.airflow, home.database, home.valkey, home.storage):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    @property
    def logs(self) -> Path:
        """Folder of each component's log, and of the tasks' logs."""
        return self.path / "logs"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.path / "airflow"

    @property
    def database(self) -> Path:
        """PostgreSQL's data and its socket."""
        return self.path / "database"

    @property
    def valkey(self) -> Path:
        """Folder of Valkey's append-only file."""
        return self.path / "valkey"

    @property
    def storage(self) -> Path:
        """The runs' results."""
        return self.path / "storage"

    @property
    def environment(self) -> Path:
        """A script with Airflow's settings for a shell, which exists while Airflow is up."""
        return self.path / "environment"

    @property
    def passwords(self) -> Path:
        """Airflow's file of the UI's users and passwords."""
        return self.airflow / "simple_auth_manager_passwords.json.generated"

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Random passwords and keys, which stay the same at every start."""
        kept = self.path / "secrets.json"
        if not kept.exists():
            names = ("ui_password", "valkey_password", "jwt_secret", "api_secret")
            made = {name: secrets.token_urlsafe(16 if name == "ui_password" else 64) for name in names}
            made["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            write_private(kept, json.dumps(made))
        found: dict[str, str] = json.loads(kept.read_text())
        passwords = json.dumps({"admin": found["ui_password"]})
        if not self.passwords.exists() or self.passwords.read_text() != passwords:
            write_private(self.passwords, passwords)
        return found

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Prevent other commands from running meanwhile.

        Raises
        ------
        Busy
            if another command is running
        """
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                process = file.read().strip()
                raise Busy(f"another command (process {process}) is using {self.path}: wait until it ends") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, and readable only by its owner from the start.

    If two processes write it at the same time, the last one wins.
    """
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as partial:
        try:
            partial.write(text)
            partial.flush()
            Path(partial.name).replace(path)
        except BaseException:
            Path(partial.name).unlink(missing_ok=True)
            raise
