"""Files in a local folder or a bucket (fsspec), written atomically."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlsplit

from fsspec.implementations.local import LocalFileSystem

from meanface.errors import SettingsError, StorageUnavailable
from meanface.storage.file_errors import os_errors
from meanface.storage.lookup import is_file
from meanface.storage.schemes import BUCKET_SCHEMES, READ_ONLY, file_system, missing_package
from meanface.storage.version import read_range
from meanface.tally import TALLY

_UNFINISHED = re.compile(r"\.(.+)\.[0-9a-f]{32}")
"""name of a local file while it is written"""


def without_credentials(url: str) -> str:
    """Remove user, password and query from an address.

    In a bucket's key, `?` and `#` are ordinary letters; a name before `@` without a password is an
    Azure container. A shared access signature of Azure is removed.

    >>> without_credentials("https://user:secret@photos.example/lfw.tgz?token=secret")
    'https://photos.example/lfw.tgz'
    >>> without_credentials("s3://key:secret@photos/who?/#1")
    's3://photos/who?/#1'
    >>> without_credentials("az://photos/2026?sv=2026&sig=secret")
    'az://photos/2026'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    if scheme.lower() in BUCKET_SCHEMES:
        place, slash, key = rest.partition("/")
        user, at, bucket = place.rpartition("@")
        in_azure = scheme.lower() in ("az", "abfs", "abfss")
        container = f"{user}{at}" if in_azure and ":" not in user else ""
        if in_azure and "sig=" in key.partition("?")[2]:
            key = key.partition("?")[0]
        return f"{scheme}://{container}{bucket}{slash}{key}"
    parts = urlsplit(f"any://{rest}")  # with an invalid scheme, the complete address would count as a path
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Storage:
    """A local folder, or any fsspec address such as `s3://bucket/meanface`; paths are relative to it.

    Endpoint and credentials come from fsspec's own configuration, such as the variable
    `FSSPEC_S3_ENDPOINT_URL`. Reading a missing file raises `FileNotFoundError`; every other failure
    to read or write raises `StorageUnavailable`.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, self._root = _file_system(url)
        except (ValueError, ImportError) as unknown:
            why = missing_package(url, unknown) or unknown
            raise SettingsError(f"storage {without_credentials(url)!r} cannot be used: {why}") from None
        except OSError as error:
            raise StorageUnavailable(f"storage {without_credentials(url)!r} cannot be reached: {error}") from error
        self._local = isinstance(self._fs, LocalFileSystem)
        self.url = without_credentials(url).rstrip("/") if not self._local else self._root

    def child(self, folder: str) -> Storage:
        """Return the storage of a subfolder."""
        child: Storage = object.__new__(Storage)
        child._fs, child._local = self._fs, self._local
        child._root = self._path(folder)
        child.url = f"{self.url}/{folder}"
        return child

    def write(self, path: str, data: bytes) -> None:
        """Write a file atomically: readers see the old or the new bytes, even after a crash."""
        with TALLY.waiting("storage"), self.open_output(path) as output:
            output.write(data)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file atomically if there is none; return whether it was written.

        Its name survives a power cut in either case: the process that wrote it may have been killed
        before it synced the folder. Of concurrent writers, one succeeds. In a bucket several may,
        and the last one wins: not every S3 server offers conditional writes.
        """
        if not self._local:
            if self.exists(path):
                return False
            self.write(path, data)
            return True
        with self._reaching("write", path):
            try:
                with self._open_local(path, new=True) as output:
                    output.write(data)
            except FileExistsError:
                _sync_folder(Path(self._path(path)).parent)
                return False
        return True

    @contextmanager
    def open_output(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file for writing; it appears, durably, when the block ends without an error."""
        if self.url.partition("://")[0].lower() in READ_ONLY:
            raise SettingsError(f"{self.url!r} is only read: choose a folder or a bucket for the results")
        with (
            self._reaching("write", path),
            self._open_local(path) if self._local else self._open_remote(path) as output,
        ):
            yield output

    def read(self, path: str) -> bytes:
        """Read a whole file."""
        with TALLY.waiting("storage"), self._reaching("read", path):
            return read_range(self._fs, self._path(path), None, None)

    def read_range(self, path: str, offset: int, size: int, version: str = "") -> bytes:
        """Read `size` bytes from `offset` on, or fewer at the end of the file.

        Raises `VersionChanged` if the file no longer has this version (see
        `meanface.storage.version`).
        """
        with TALLY.waiting("storage"), self._reaching("read", path):
            return read_range(self._fs, self._path(path), offset, offset + size, version)

    def exists(self, path: str) -> bool:
        """Return whether the file exists."""
        with self._reaching("look for", path):
            return is_file(self._fs, self._path(path))

    def size(self, path: str) -> int:
        """Return a file's size in bytes."""
        with self._reaching("look for", path):
            return int(self._fs.size(self._path(path)))

    def list(self, folder: str) -> list[str]:
        """List a folder's files, sorted, without hidden ones; empty for a missing folder."""
        try:
            with self._reaching("list", folder):
                found = self._fs.ls(self._path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(name for name in (path.rpartition("/")[2] for path in found) if name and not name.startswith("."))

    def entries(self) -> set[str]:
        """List all names in this folder, hidden ones and folders included; empty if it is missing.

        Raises `NotADirectoryError` if a file or a dangling link has the folder's name.
        """
        if self._local and os.path.lexists(self._root) and not Path(self._root).is_dir():
            raise NotADirectoryError(self._root)
        start = f"{self._root.rstrip('/')}/"
        try:
            with self._reaching("list", ""):
                if self._local:
                    return {path.name for path in Path(self._root).iterdir()}
                found = self._fs.ls(self._root, detail=False, refresh=True)
        except FileNotFoundError:
            return set()
        # `ls` of an object returns it, and a bucket may have an object that stands for the folder
        return {path[len(start) :].rstrip("/") for path in found if path.startswith(start)} - {""}

    def kind(self, path: str) -> Literal["", "file", "other"]:
        """Return the kind of a path, links not followed; empty for nothing. A bucket has files only."""
        if not self._local:
            return "file" if self.exists(path) else ""
        try:
            with self._reaching("look for", path):
                mode = Path(self._path(path)).lstat().st_mode
        except FileNotFoundError:
            return ""
        return "file" if stat.S_ISREG(mode) else "other"

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file in hexadecimal; streamed."""
        with self._reaching("read", path), self._fs.open(self._path(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        with suppress(FileNotFoundError), self._reaching("remove", path):
            self._fs.rm_file(self._path(path))

    def remove_empty_folder(self, path: str) -> None:
        """Remove a local folder if it is empty; a bucket has no folders."""
        if self._local:
            with suppress(OSError):
                Path(self._path(path)).rmdir()

    def remove_unfinished(self, folder: str, name: re.Pattern[str]) -> None:
        """Remove what killed processes left of files with such names; a process that still writes one fails.

        In a bucket, a file that is not finished has no name.
        """
        if self._local:
            for path in Path(self._path(folder)).glob(".*"):
                if (found := _UNFINISHED.fullmatch(path.name)) and name.fullmatch(found[1]):
                    with self._reaching("remove", f"{folder}/{path.name}"):
                        path.unlink(missing_ok=True)

    def sync(self, folder: str) -> None:
        """Make the names in a folder, and in all folders above it, survive a power cut.

        `write` syncs its own; but an attempt that was killed between rename and sync has not. Bytes
        are synced before they get a name, and a bucket needs no sync.
        """
        if self._local:
            path = Path(self._path(folder))
            with TALLY.waiting("storage"), self._reaching("write", folder):
                for each in (path, *path.parents):
                    if os.access(each, os.W_OK):  # no attempt has written elsewhere
                        _sync_folder(each)

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextmanager
    def _reaching(self, what: str, path: str) -> Iterator[None]:
        """Raise `StorageUnavailable` for outages; `FileNotFoundError` passes, except in writes."""
        try:
            with os_errors():
                yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) and what != "write":
                raise
            raise StorageUnavailable(f"cannot {what} {self.url}/{path}: {error}") from error

    @contextmanager
    def _open_local(self, path: str, *, new: bool = False) -> Iterator[IO[bytes]]:
        target = Path(self._path(path))
        _make_folder(target.parent)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")  # as _UNFINISHED
        try:
            with partial.open("xb") as output:
                yield output
                output.flush()
                os.fsync(output.fileno())
            if not (new and _linked(partial, target)):
                partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        _sync_folder(target.parent)

    @contextmanager
    def _open_remote(self, path: str) -> Iterator[Any]:
        output = self._fs.open(self._path(path), "wb")
        try:
            yield output
        except BaseException:
            output.discard()
            with suppress(AttributeError):  # of a file system in memory
                output.closed = True  # else its finaliser would write the rest
            raise
        output.close()


def _linked(partial: Path, target: Path) -> bool:
    """Hard-link a file to a new name; `FileExistsError` if it is taken, False without links."""
    try:
        target.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        return False
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, so that they survive a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _file_system(url: str) -> tuple[Any, str]:
    """Return file system and path; fsspec would read `::` in a local path as a chain."""
    scheme, separator, _ = url.partition("://")
    if separator and scheme.lower() not in ("file", "local"):
        return file_system(url)
    return LocalFileSystem(), LocalFileSystem._strip_protocol(url)


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut, if the file system can sync folders.

    SMB shares and some FUSE file systems cannot, and answer with one of these errors.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY):
            raise
    finally:
        os.close(descriptor)
