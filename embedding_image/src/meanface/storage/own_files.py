"""Files of fixed names in a folder that is ours: written over and removed only as we have left them.

People open `report.html` or `result.json`, and may edit them or put a file of their own in their place. So the SHA-256
of what is about to be written is kept first, as an empty file `.meanface/SHA256`: the next writer knows the files of
the one before by it, also after a crash between the two, and several writers at once cannot lose each other's. These
records stay; there is one for each different file that was ever written.
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
    """Files right in a folder, by name.

    Parameters
    ----------
    folder
        that has our marker (see `meanface.storage.marker`)
    """

    def __init__(self, folder: Storage) -> None:
        self._folder = folder

    def check(self, names: Iterable[str]) -> None:
        """See that each of these files is not there, or as we left it.

        Raises
        ------
        Conflict
            naming those that are not
        """
        self._refuse_foreign(self._folder.entries().intersection(names))

    def _refuse_foreign(self, names: Iterable[str]) -> None:
        foreign = [name for name in sorted(names) if self._found(name) == "foreign"]
        if foreign:
            raise Conflict(
                f"{', '.join(foreign)} in {self._folder.url} {'is' if len(foreign) == 1 else 'are'} not as meanface"
                " wrote it: somebody has edited or replaced it. Move it away, or choose another place for results"
            )

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole.

        Raises
        ------
        Conflict
            another file has its place
        """
        with self.open_output(name) as output:
            output.write(data)

    @contextmanager
    def open_output(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write to, as `Storage.open_output`; `Conflict` where another file has its place."""
        self._refuse_foreign([name])
        with self._folder.open_output(name) as output, _Hashing(output) as hashing:
            yield cast(IO[bytes], hashing)
            self._folder.create(f"{FOLDER}/{hashing.digest()}", b"")
            self._refuse_foreign([name])  # again, as a stream may take its time

    def remove(self, name: str) -> None:
        """Remove a file; one that is not as we left it stays."""
        found = self._found(name)
        if found == "ours":
            self._folder.remove(name)
        elif found == "foreign":
            log.warning(
                "file left in place", file=f"{self._folder.url}/{name}", reason="it is not as meanface wrote it"
            )

    def _found(self, name: str) -> Literal["", "ours", "foreign"]:
        """What has a name: nothing, a file with bytes that we wrote, or anything else.

        Another process of ours may remove a file while we look at it: one that is gone is nobody else's.
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
    """Passes on what is written, and hashes it."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output, self._sha = output, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._sha.update(data)
        return self._output.write(data)

    def digest(self) -> str:
        return self._sha.hexdigest()
