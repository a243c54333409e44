"""Files of a run, in a folder or a bucket (fsspec): a file is there whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from meanface.errors import SettingsError, StorageUnavailable
from meanface.storage.version import read_range

BUCKET_SCHEMES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"})


def without_credentials(url: str) -> str:
    """The address as people may see it: user, password and query taken out.

    In a bucket, `?` and `#` are letters of a key, and a name before `@` without a password is Azure's container.

    >>> without_credentials("https://user:secret@photos.example/lfw.tgz?token=secret")
    'https://photos.example/lfw.tgz'
    >>> without_credentials("s3://key:secret@photos/who?/#1")
    's3://photos/who?/#1'
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    if scheme.lower() in BUCKET_SCHEMES:
        place, slash, key = rest.partition("/")
        user, at, bucket = place.rpartition("@")
        container = f"{user}{at}" if scheme.lower().startswith(("az", "abfs")) and ":" not in user else ""
        return f"{scheme}://{container}{bucket}{slash}{key}"
    parts = urlsplit(f"any://{rest}")  # of a scheme that cannot be one, it would take the whole for a path
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def network_errors() -> tuple[type[Exception], ...]:
    """What file systems raise when something is wrong around them.

    Not all of it descends from `OSError`; botocore and aiohttp have their own trees, which exist only once something
    has imported them.
    """
    errors: list[type[Exception]] = [OSError]
    for module, name in (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError")):
        if module in sys.modules:
            errors.append(getattr(sys.modules[module], name))
    return tuple(errors)


class Storage:
    """A folder of files, by relative path.

    Parameters
    ----------
    url
        a local folder or any fsspec address, such as `s3://bucket/meanface`; options of the file system (endpoint,
        credentials) come from fsspec's own configuration, such as the environment's `FSSPEC_S3_ENDPOINT_URL`

    Reading raises `FileNotFoundError` where nothing is; anything else that keeps a file from being read or written
    raises `StorageUnavailable`.
    """

    def __init__(self, url: str) -> None:
        try:
            self._fs, self._root = _file_system(url)
        except (ValueError, ImportError) as unknown:
            raise SettingsError(f"storage {without_credentials(url)!r} cannot be used: {unknown}") from None
        self._local = isinstance(self._fs, LocalFileSystem)
        self.url = without_credentials(url).rstrip("/") if not self._local else self._root

    def child(self, folder: str) -> Storage:
        """The storage of one of its folders."""
        child: Storage = object.__new__(Storage)
        child._fs, child._local = self._fs, self._local
        child._root = self._path(folder)
        child.url = f"{self.url}/{folder}"
        return child

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole: whoever looks sees the old file or the new one, also after a crash."""
        with self.open_output(path) as output:
            output.write(data)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file whole where none is; False where one is, which stays.

        Of writers at once, one has made it. In a bucket the last of them has, as not every server that speaks S3 can
        tell.
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
                return False
        return True

    @contextmanager
    def open_output(self, path: str) -> Iterator[IO[bytes]]:
        """A file to write to; it appears when the block ends well, durably, and not at all when it does not."""
        with (
            self._reaching("write", path),
            self._open_local(path) if self._local else self._open_remote(path) as output,
        ):
            yield output

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        return self._get(path, None, None)

    def read_range(self, path: str, offset: int, size: int, version: str = "") -> bytes:
        """`size` bytes from `offset` on; fewer where the file ends earlier.

        Raises
        ------
        VersionChanged
            the file is not of this version (see `meanface.storage.version`) any more
        """
        return self._get(path, offset, offset + size, version)

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        with self._reaching("look for", path):
            return bool(self._fs.isfile(self._path(path)))

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; of a folder that is not there, none."""
        try:
            with self._reaching("list", folder):
                found = self._fs.ls(self._path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(name for name in (path.rpartition("/")[2] for path in found) if name and not name.startswith("."))

    def entries(self) -> set[str]:
        """Names of all that is in this folder, hidden files and folders among it; none where it does not exist.

        Raises
        ------
        NotADirectoryError
            a file, or a link that leads nowhere, has the folder's name
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
        # `ls` of an object gives that object, and a bucket may have one that stands for the folder
        return {path[len(start) :].rstrip("/") for path in found if path.startswith(start)} - {""}

    def kind(self, path: str) -> Literal["", "file", "folder", "link", "other"]:
        """What is there, links not followed; a bucket has files only. Empty for nothing."""
        if not self._local:
            return "file" if self.exists(path) else ""
        try:
            with self._reaching("look for", path):
                mode = Path(self._path(path)).lstat().st_mode
        except FileNotFoundError:
            return ""
        kinds: dict[int, Literal["file", "folder", "link"]] = {
            stat.S_IFREG: "file",
            stat.S_IFDIR: "folder",
            stat.S_IFLNK: "link",
        }
        return kinds.get(stat.S_IFMT(mode), "other")

    def sha256(self, path: str) -> str:
        """SHA-256 of a file, in hexadecimal; streamed."""
        with self._reaching("read", path), self._fs.open(self._path(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self, path: str) -> None:
        """Remove one file; nothing where nothing is."""
        with suppress(FileNotFoundError), self._reaching("remove", path):
            self._fs.rm_file(self._path(path))

    def remove_empty_folder(self, path: str) -> None:
        """Remove a folder of this machine if nothing is in it; a bucket has no folders."""
        if self._local:
            with suppress(OSError):
                Path(self._path(path)).rmdir()

    def sync(self, folder: str) -> None:
        """Have the names in a folder, and all folders above it, survive a power cut, whoever has given them.

        Those that one gives oneself do; an attempt that was killed behind a rename has left its own open. Bytes are
        synced before they have a name, and a bucket keeps what it has taken.
        """
        if self._local:
            path = Path(self._path(folder))
            with self._reaching("write", folder):
                for each in (path, *path.parents):
                    if os.access(each, os.W_OK):  # elsewhere no attempt has given a name
                        _sync_folder(each)

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _get(self, path: str, start: int | None, end: int | None, version: str = "") -> bytes:
        with self._reaching("read", path):
            return read_range(self._fs, self._path(path), start, end, version)

    @contextmanager
    def _reaching(self, what: str, path: str) -> Iterator[None]:
        """Everything that goes wrong around us while reaching for a file, as one error; what is not there passes."""
        try:
            yield
        except Exception as error:
            missing = isinstance(error, FileNotFoundError) and what != "write"
            if isinstance(error, network_errors()) and not missing:
                raise StorageUnavailable(f"cannot {what} {self.url}/{path}: {error}") from error
            raise

    @contextmanager
    def _open_local(self, path: str, *, new: bool = False) -> Iterator[IO[bytes]]:
        target = Path(self._path(path))
        _make_folder(target.parent)
        partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
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
                output.closed = True  # or its finaliser would write what is left
            raise
        output.close()


def _linked(partial: Path, target: Path) -> bool:
    """Whether a file has got its name as one that nothing had; some file systems have no links.

    Raises
    ------
    FileExistsError
        something has the name
    """
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
    """Make a folder and those above it, so that a power cut takes none of them and what is in it."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _file_system(url: str) -> tuple[Any, str]:
    """The file system behind an address, and the path in it; fsspec would take `::` in a local path for a chain."""
    scheme, separator, _ = url.partition("://")
    if separator and scheme.lower() not in ("file", "local"):
        found: tuple[Any, str] = fsspec.url_to_fs(url)
        return found
    return LocalFileSystem(), LocalFileSystem._strip_protocol(url)


def _sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut, where the file system can sync a folder.

    SMB shares and some FUSE file systems cannot, and say so by one of these errors.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY):
            raise
    finally:
        os.close(descriptor)
