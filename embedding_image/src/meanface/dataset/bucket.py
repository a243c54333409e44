"""Photos under a prefix of a bucket, or in any other remote folder that fsspec can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import fsspec

from meanface.dataset.kinds import library_name, passed_over
from meanface.dataset.passed_over import Account
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.dataset.photos import PhotoSource, PhotoUnreadable, changed, printable, reading, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.result_folders import ResultFolders
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.storage import azure
from meanface.storage.files import missing_package, network_errors, without_credentials
from meanface.storage.marker import FILE
from meanface.storage.version import VersionChanged, is_s3, of_etag, of_file, read_range


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
            if self._start and self._fs.isfile(f"{self._root}/{FILE}"):  # it is not listed
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
            if empty and self._fs.isfile(self._root):
                raise DatasetNotFound(
                    f"dataset {self._url!r} is a single file, but its name is not that of a photo (.jpg), an archive "
                    "(.tar, .tgz, .zip) or a list (.csv, .jsonl, .txt, .parquet): give the prefix that holds it"
                )

    def _files(self) -> Iterator[tuple[str, int, str]]:
        """Path, size and version of each file."""
        if is_s3(self._fs):
            yield from self._objects()
            return
        if azure.is_azure(self._fs):
            yield from self._blobs()
            return
        for folder, folders, files in self._fs.walk(self._root, detail=True, on_error="raise"):
            if self._only is not None:  # `walk` does not enter those that are taken out
                for name in [*folders]:
                    if not self._only.may_hold(f"{folder}/{name}"[len(self._root) + 1 :]):
                        del folders[name]
            for name, info in sorted(files.items()):  # as in S3: the marker comes before photos
                path = f"{folder}/{name}"
                yield path, int(info["size"]), of_file(self._fs, path, info)

    def _objects(self) -> Iterator[tuple[str, int, str]]:
        """Page through a bucket; s3fs' `walk` and `find` hold the whole prefix in memory."""
        bucket, _, key = self._root.partition("/")
        request = {"Bucket": bucket, "Prefix": f"{key}/{self._start}" if key else self._start}
        while True:
            page = self._fs.call_s3("list_objects_v2", **request)
            for found in page.get("Contents", ()):
                yield f"{bucket}/{found['Key']}", int(found["Size"]), of_etag(found.get("ETag"))
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def _blobs(self) -> Iterator[tuple[str, int, str]]:
        """Page through a container of Azure, as through a bucket of S3."""
        container, _, key = self._root.partition("/")
        for blob in azure.blobs(self._fs, container, f"{key}/{self._start}" if key else self._start):
            yield f"{container}/{blob.name}", int(blob.size), of_etag(blob.etag)


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

    Raises `SettingsError` if no installed package knows the address's scheme.
    """
    try:
        fs, path = fsspec.url_to_fs(url, use_listings_cache=False)  # listings may be larger than memory
    except (ValueError, ImportError, TypeError) as unknown:
        why = missing_package(url, unknown) or unknown
        raise SettingsError(f"dataset {without_credentials(url)!r} cannot be used: {why}") from None
    return fs, path.rstrip("/")


@contextmanager
def listing(url: str) -> Iterator[None]:
    """Translate a file system's errors about a complete dataset: missing, not permitted, or unavailable."""
    dataset = f"dataset {without_credentials(url)!r}"
    try:
        yield
    except FileNotFoundError as missing:
        raise DatasetNotFound(f"{dataset} does not exist: {reason(missing)}") from missing
    except PermissionError as refused:
        raise DatasetNotFound(f"{dataset} may not be read with the present credentials") from refused
    except network_errors() as error:
        raise StorageUnavailable(f"{dataset} cannot be reached: {reason(error)}") from error
