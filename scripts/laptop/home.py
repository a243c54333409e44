"""Where a local Airflow keeps everything: one folder, its files readable by their owner only."""

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
    """Another command uses the folder."""


@dataclass(frozen=True)
class Home:
    """The folder: `.local` in the checkout, or the one named by MEANFACE_HOME."""

    path: Path

    @classmethod
    def of(cls, environment: dict[str, str]) -> Home:
        """The folder, made where it is not there yet.

        Raises
        ------
        ValueError
            where a path has the name of a variable, such as `$HOME`, for which Airflow would take the variable's value
        """
        home = cls(Path(environment.get("MEANFACE_HOME") or CHECKOUT / ".local").absolute())
        for path in (str(home.path), str(CHECKOUT)):
            if os.path.expandvars(path) != path:
                raise ValueError(f"{path}: Airflow would replace the variable in this path; choose another folder")
        for folder in (home.path, home.logs, home.airflow, home.database, home.valkey, home.storage):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    @property
    def logs(self) -> Path:
        """One log per component, and the tasks' logs."""
        return self.path / "logs"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.path / "airflow"

    @property
    def database(self) -> Path:
        """PostgreSQL's folder, and its socket."""
        return self.path / "database"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file."""
        return self.path / "valkey"

    @property
    def storage(self) -> Path:
        """What runs leave."""
        return self.path / "storage"

    @property
    def environment(self) -> Path:
        """Airflow's settings for a shell, as long as Airflow is up."""
        return self.path / "environment"

    @property
    def passwords(self) -> Path:
        """The UI's users, as Airflow reads them."""
        return self.airflow / "simple_auth_manager_passwords.json.generated"

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Random passwords and keys, the same at every start."""
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
        """Keep other commands out while this one works.

        Raises
        ------
        Busy
            where another command is at work
        """
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise Busy(f"another command (process {file.read().strip()}) is using {self.path}") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file whole, readable by its owner only from its first moment.

    Of two that write it at once, the last one stays.
    """
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as partial:
        try:
            partial.write(text)
            partial.flush()
            Path(partial.name).replace(path)
        except BaseException:
            Path(partial.name).unlink(missing_ok=True)
            raise
