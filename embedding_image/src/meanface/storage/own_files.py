"""Result files that are overwritten or removed only if they are as meanface wrote them.

Users may edit `report.html` or `result.json`, or replace them by files of their own. So before a
file is written, its SHA-256 is recorded as an empty file `.meanface/SHA256`. The next writer
recognises the file by it, even after a crash in between, and concurrent writers cannot lose each
other's records. The records stay: one for each distinct file that was ever written.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Literal, cast

import structlog

from meanface.errors import Conflict
from meanface.storage.files import Storage

FOLDER = ".meanface"

log = structlog.get_logger(__name__)


class OwnFiles:
    """The result files in a folder that has our marker (see `meanface.storage.marker`)."""

    def __init__(self, folder: Storage) -> None:
        self._folder = folder

    def check(self, names: Iterable[str]) -> None:
        """Raise `Conflict`, which names the files, if any was edited or replaced."""
        self._refuse_foreign(self._folder.entries().intersection(names))

    def _refuse_foreign(self, names: Iterable[str]) -> None:
        foreign = [name for name in sorted(names) if self._found(name) == "foreign"]
        if foreign:
            raise Conflict(
                f"{', '.join(foreign)} in {self._folder.url} {'is' if len(foreign) == 1 else 'are'} not as meanface"
                " wrote it: it was edited or replaced. Move it away, or choose another folder for the results"
            )

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically; `Conflict` if another file has its name."""
        with self.open_output(name) as output:
            output.write(data)

    @contextmanager
    def open_output(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file as `Storage.open_output` does; `Conflict` if another file has its name."""
        self._refuse_foreign([name])
        with self._folder.open_output(name) as output, _Hashing(output) as hashing:
            yield cast(IO[bytes], hashing)
            self._folder.create(f"{FOLDER}/{hashing.sha256.hexdigest()}", b"")
            self._refuse_foreign([name])  # again, as a stream may have taken long

    def remove(self, name: str) -> None:
        """Remove a file, unless it was edited or replaced."""
        found = self._found(name)
        if found == "ours":
            self._folder.remove(name)
        elif found == "foreign":
            log.warning(
                "file left in place", file=f"{self._folder.url}/{name}", reason="it is not as meanface wrote it"
            )

    def _found(self, name: str) -> Literal["", "ours", "foreign"]:
        """Return what has this name: nothing, a file that we wrote, or anything else.

        Another process of ours may remove the file meanwhile: then there is nothing.
        """
        kind = self._folder.kind(name)
        if kind != "file":
            return "foreign" if kind else ""
        try:
            digest = self._folder.sha256(name)
        except FileNotFoundError:
            return ""
        return "ours" if self._folder.exists(f"{FOLDER}/{digest}") else "foreign"


class _Hashing(io.BufferedIOBase):
    """A stream that hashes what it passes on."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output, self.sha256 = output, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # callers pass bytes, not any buffer
        self.sha256.update(data)
        return self._output.write(data)
