"""A dataset of one photo: a local file, an object in a bucket, or a file behind http(s)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from meanface.dataset.address import ARCHIVE_SUFFIXES, base_name, has_suffix
from meanface.dataset.bucket import file_system, key_refusal, listing
from meanface.dataset.content import START, UNKNOWN, identify
from meanface.dataset.folder_photos import inside, not_a_file
from meanface.dataset.http.download import name_on_server
from meanface.dataset.kinds import PHOTO_SUFFIXES, passed_over_by_content
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import PhotoUnreadable, printable, reason
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.table.form import LIST_SUFFIXES
from meanface.dataset.table.references import ref_of
from meanface.dataset.table.rows import Row
from meanface.errors import DatasetNotFound
from meanface.storage.files import without_credentials
from meanface.storage.version import of_file, of_stat

_BY_NAME = (UNKNOWN, "a TIFF photo")
"""For these contents, the suffix decides whether the file is a photo."""


class PhotoFile:
    """One local photo. If it is a link that leads out of its folder, the photo is the link's target."""

    def __init__(self, path: str) -> None:
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        try:
            inside(folder, f"{folder}/{name}")
        except PhotoUnreadable:
            folder, name = os.path.split(os.path.realpath(path))
        self._folder, self._name = folder, name

    @property
    def source(self) -> Source:
        """Where the photo comes from."""
        url = printable(f"{self._folder.rstrip('/')}/{self._name}")[0]
        return Source(url=url, kind="folder", root=self._folder)

    def list(self) -> Iterator[PhotoRef]:
        """The photo."""
        name, refusal = printable(self._name)
        try:
            found = Path(self._folder, self._name).stat()
        except OSError as error:
            raise DatasetNotFound(f"dataset {self.source.url!r} cannot be read: {reason(error)}") from error
        refusal = refusal or not_a_file(found.st_mode)
        yield PhotoRef(name, found.st_size, refusal=refusal, version="" if refusal else of_stat(found))


class PhotoObject:
    """One photo in a bucket, or on any other remote file system."""

    def __init__(self, address: str) -> None:
        self._address, self._url = address, without_credentials(address)

    @property
    def source(self) -> Source:
        """Where the photo comes from."""
        return Source(url=self._url, kind="folder", root=self._url.rpartition("/")[0])

    def list(self) -> Iterator[PhotoRef]:
        """The photo."""
        fs, path = file_system(self._address)
        with listing(self._url):
            found = fs.info(path)
            version = of_file(fs, path, found)
        name, refusal = printable(path.rpartition("/")[2])
        refusal = refusal or key_refusal(name)
        yield PhotoRef(name, int(found["size"]), refusal=refusal, version="" if refusal else version)


class PhotoUrl:
    """One photo behind http(s), whose name is its address without credentials and query."""

    def __init__(self, address: str, network_policy: NetworkPolicy) -> None:
        self._address, self._network_policy = address, network_policy

    @property
    def source(self) -> Source:
        """Where the photo comes from."""
        return Source(url=printable(without_credentials(self._address))[0], kind="urls", root="")

    def list(self) -> Iterator[PhotoRef]:
        """The photo, once the server has it."""
        name_on_server(self._address, self._network_policy)
        yield ref_of(Row(self._address), self._address)


def is_photo_file(path: str) -> bool:
    """Whether a local file is one photo, by its first bytes; its suffix decides if these are of no known kind.

    A file whose name is that of an archive or a list is none.
    """
    name = os.path.basename(path)  # noqa: PTH119 - the path may be no valid Unicode
    if has_suffix(name, (*ARCHIVE_SUFFIXES, *LIST_SUFFIXES)) or not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        start = file.read(START)
    by_name = has_suffix(name, PHOTO_SUFFIXES) and identify(start).name in _BY_NAME
    return by_name or passed_over_by_content(start) is None


def is_photo_object(address: str) -> bool:
    """Whether a remote address is that of one photo, and no folder; `DatasetNotFound` if nothing is there."""
    if address.endswith("/") or not has_suffix(address, PHOTO_SUFFIXES):
        return False
    fs, path = file_system(address)
    with listing(address):
        return bool(fs.info(path)["type"] == "file")


def is_photo_url(address: str) -> bool:
    """Whether a web address is that of one photo, by its suffix.

    >>> is_photo_url("https://photos.example/ada.JPG?w=640"), is_photo_url("https://photos.example/ada")
    (True, False)
    """
    try:
        return has_suffix(base_name(address), PHOTO_SUFFIXES)
    except ValueError:  # an address from elsewhere that is none
        return False
