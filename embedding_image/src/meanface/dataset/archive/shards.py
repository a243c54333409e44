"""Shards, which are uncompressed tar files: write them, and read photos out of them by range."""

from __future__ import annotations

import hashlib
import tarfile
from contextlib import ExitStack
from typing import IO, Any, NamedTuple, Self

from meanface.dataset.photos import PhotoSource, PhotoUnreadable, changed, reading
from meanface.dataset.refs import PhotoRef
from meanface.errors import StorageUnavailable
from meanface.retry import Transient
from meanface.storage.file_errors import os_errors
from meanface.storage.files import Storage
from meanface.storage.version import VersionChanged, check_bytes, of_bytes

SHARD_BYTES = 256_000_000
"""most bytes of a written shard that holds more than one photo"""
CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)


class ShardFolder(NamedTuple):
    """Where a dataset's shards go: each of several datasets has a folder of its own."""

    storage: Storage
    """the run's files"""
    path: str = "shards"


class ShardWriter:
    """Writes photos to `shards/00000.tar` and so on; the same photos give the same files."""

    def __init__(self, folder: ShardFolder, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder, self._shard_bytes = folder, shard_bytes
        self._shard, self._shards, self._position = "", 0, 0
        self._output: IO[bytes] | None = None
        self._open = ExitStack()

    def add(self, name: str, size: int, data: IO[bytes]) -> PhotoRef:
        """Write one photo; returns its reference."""
        info = tarfile.TarInfo(name)  # mode 644, owner 0, time 0
        info.size = size
        header = info.tobuf(tarfile.PAX_FORMAT)
        whole = len(header) + size + -size % _BLOCK
        if self._output is None or self._position + whole + len(_END) > self._shard_bytes:
            self._finish()
            self._shard, self._shards = f"{self._folder.path}/{self._shards:05d}.tar", self._shards + 1
            self._output, self._position = self._open.enter_context(self._folder.storage.open_output(self._shard)), 0
        self._write(self._output, header)
        running = hashlib.sha256()
        while chunk := data.read(CHUNK):
            running.update(chunk)
            self._write(self._output, chunk)
        self._write(self._output, bytes(-size % _BLOCK))
        offset, self._position = self._position + len(header), self._position + whole
        return PhotoRef(name, size, self._shard, offset, version=of_bytes(running.digest()))

    def _write(self, output: IO[bytes], data: bytes) -> None:
        """Write to the shard; an error is one of the storage, and not of the file that is read meanwhile."""
        try:
            with os_errors():
                output.write(data)
        except OSError as error:
            raise StorageUnavailable(f"cannot write {self._folder.storage.url}/{self._shard}: {error}") from error

    def _finish(self) -> None:
        if self._output is not None:
            self._write(self._output, _END)
            self._output = None
            self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._finish()
        self._open.__exit__(*error)


class ShardPhotos(PhotoSource):
    """Reads photos out of shards, each with the header before it in one range.

    Header and version show whether the shard has changed since the plan: in another one, the same
    range could be another photo.
    """

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self._storage = storage

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:  # noqa: ARG002 - `read` has compared the size
        if ".." in ref.source.split("/"):
            raise PhotoUnreadable("its shard is outside the dataset")
        try:
            with reading():
                data = self._storage.read_range(ref.source, ref.offset - _BLOCK, _BLOCK + ref.size, ref.version)
            header = tarfile.TarInfo.frombuf(data[:_BLOCK], "utf-8", "surrogateescape")
            if not header.isreg() or header.size != ref.size:
                raise changed(ref.size, header.size)
            photo = data[_BLOCK:]
            if len(photo) == ref.size:  # otherwise, `read` reports how much is missing
                check_bytes(photo, ref.version)
        except StorageUnavailable as away:
            raise Transient(f"its shard cannot be read: {away}") from away
        except (VersionChanged, tarfile.HeaderError):
            raise PhotoUnreadable("its shard changed since the plan") from None
        return photo
