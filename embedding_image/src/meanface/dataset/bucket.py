"""Photos under a prefix of a bucket, or in any other remote folder that fsspec can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from meanface.dataset.kinds import library_name, passed_over
from meanface.dataset.passed_over import Account
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.dataset.photos import PhotoSource, PhotoUnreadable, changed, printable, reading, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.result_folders import ResultFolders
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.storage import schemes
from meanface.storage.file_errors import NoCredentials, os_errors
from meanface.storage.files import without_credentials
from meanface.storage.lookup import is_file
from meanface.storage.marker import FILE
from meanface.storage.pages import Found, files_below, is_paged
from meanface.storage.version import VersionChanged, of_file, read_range


class BucketDataset:
    """Every photo under a prefix, which is read as a folder; `url` is the dataset's address, the prefix by default.

    With a pattern, `only` the files under the prefix count whose names match it.
    """

    def __init__(self, prefix: str, url: str | None = None, *, only: PhotoPattern | None = None) -> None:
        self._prefix, self._url = without_credentials(prefix), without_credentials(url or prefix)
        self._fs, self._root = file_system(prefix)
        self._account, self._only = Account(), only
        self._start = only.start if only is not None and only.start.isascii() else ""

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        passed_over = self._account.records()
        return Source(url=self._url, kind="folder", root=self._prefix.rstrip("/"), passed_over=passed_over)

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, in the order of the bucket."""
        self._account, results = Account(), ResultFolders()
        library = library_name(self._root)
        start, empty = len(self._root) + 1, True
        with listing(self._url):
            if self._start and is_file(self._fs, f"{self._root}/{FILE}"):  # it is not listed
                path = f"{self._root}/{FILE}"
                results.look(FILE, int(self._fs.info(path)["size"]), partial(self._fs.cat_file, path))
            for path, size, version in self._files():
                name, refusal = printable(path[start:])
                if not name or name.endswith("/"):  # an object that stands for a folder
                    continue
                results.look(name, size, partial(self._fs.cat_file, path))
                if self._only is not None and not self._only.matches(name):
                    continue
                empty = False
                if kind := results.kind(name) or passed_over(library + name):
                    self._account.add(kind, name)
                    continue
                refusal = refusal or key_refusal(name)
                yield PhotoRef(name, size, refusal=refusal, version="" if refusal else version)
            if empty and self._only is not None:
                raise DatasetNotFound(f"dataset {self._url!r}: no key matches; expected photos")
            if empty and is_file(self._fs, self._root):
                raise DatasetNotFound(
                    f"dataset {self._url!r} is a single file, but its name is not that of a photo (.jpg), an archive "
                    "(.tar, .tgz, .zip) or a list (.csv, .jsonl, .txt, .parquet): give the prefix that holds it"
                )

    def _files(self) -> Iterator[Found]:
        if is_paged(self._fs):
            yield from files_below(self._fs, self._root, self._start)
            return
        for folder, folders, files in self._fs.walk(self._root, detail=True, on_error="raise"):
            if self._only is not None:  # `walk` does not enter those that are taken out
                for name in [*folders]:
                    if not self._only.may_hold(f"{folder}/{name}"[len(self._root) + 1 :]):
                        del folders[name]
            for name, info in sorted(files.items()):  # as in S3: the marker comes before photos
                path = f"{folder}/{name}"
                yield Found(path, int(info["size"]), of_file(self._fs, path, info))


class BucketPhotos(PhotoSource):
    """Reads photos below a remote folder."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._fs, self._root = file_system(root)

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:  # noqa: ARG002 - `read` has compared the size
        if refusal := key_refusal(ref.name):  # again: the plan may have been replaced
            raise PhotoUnreadable(refusal)
        return read_file(self._fs, f"{self._root}/{ref.name}", ref.size, ref.version)


def key_refusal(key: str) -> str:
    """Why an object is not read; empty for one that is.

    To S3, `.` and `..` are ordinary letters; software on the way there may resolve them to another
    object.

    >>> key_refusal("2026/../../other/ada.jpg"), key_refusal("2026/ada..jpg")
    ("its key has '..' for a folder", '')
    """
    dots = {".", ".."}.intersection(key.split("/"))
    return f"its key has {max(dots)!r} for a folder" if dots else ""


def read_file(fs: Any, path: str, size: int, version: str = "") -> bytes:
    """Read a whole remote file of `size` bytes; of one that has grown, only one byte more is read.

    Raises `PhotoUnreadable` if it is gone or has another size or version, `Transient` if another
    attempt may succeed.
    """
    with reading():
        try:
            data = read_range(fs, path, 0, size + 1, version) if size else b""
        except FileNotFoundError:
            raise
        except VersionChanged:
            raise changed(size, int(fs.info(path)["size"])) from None
        except OSError:  # also raised for a range of a file that is empty by now
            if int(fs.info(path)["size"]):
                raise
            data = b""
        now = len(data) if 0 < len(data) <= size else int(fs.info(path)["size"])
    if now != size:
        raise changed(size, now)
    return data


def file_system(url: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it without a slash at its end.

    Raises `SettingsError` if no installed package knows the address's scheme, and what `listing`
    raises if the credentials cannot be had.
    """
    try:
        with listing(url):
            fs, path = schemes.file_system(url, use_listings_cache=False)  # listings may be larger than memory
    except (ValueError, ImportError) as unknown:
        why = schemes.missing_package(url, unknown) or unknown
        raise SettingsError(f"dataset {without_credentials(url)!r} cannot be used: {why}") from None
    return fs, path.rstrip("/")


@contextmanager
def listing(url: str) -> Iterator[None]:
    """Translate a file system's errors about a complete dataset: missing, not permitted, or unavailable."""
    dataset = f"dataset {without_credentials(url)!r}"
    try:
        with os_errors():
            yield
    except FileNotFoundError as missing:
        raise DatasetNotFound(f"{dataset} does not exist: {reason(missing)}") from missing
    except PermissionError as refused:
        raise DatasetNotFound(
            f"{dataset} may not be read with the present credentials{_advice(url, refused)}"
        ) from refused
    except NoCredentials as lacking:
        what = f"{dataset} cannot be read: credentials are missing, or cannot be renewed"
        raise StorageUnavailable(f"{what}: {reason(lacking)}") from lacking
    except OSError as error:
        raise StorageUnavailable(f"{dataset} cannot be reached: {reason(error)}") from error


def _advice(url: str, refused: PermissionError) -> str:
    """What the Hugging Face Hub wants, or which local folder it is; the messages of other servers have no advice."""
    if refused.filename:
        return f": {printable(os.fsdecode(refused.filename))[0]}"
    return f": {reason(refused)}" if url.lower().startswith("hf://") else ""
