"""Read photos behind URLs."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from meanface.dataset.address import is_bucket, is_web, scheme
from meanface.dataset.bucket import file_system, key_refusal, read_file
from meanface.dataset.folder_photos import FolderPhotos
from meanface.dataset.http.client import Web
from meanface.dataset.http.hosts import Hosts, host_of
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import PhotoSource, PhotoUnreadable, reading, too_large
from meanface.dataset.refs import PhotoRef
from meanface.errors import StorageUnavailable, UsageError
from meanface.retry import Transient
from meanface.storage.files import without_credentials


def refusal_of(url: str) -> str:
    """Why an address in a list is refused; empty if it is not.

    Lists and manifests may come from elsewhere: neither can make this machine read its own files.
    """
    if not url:
        return "its url is empty"
    if is_bucket(url):
        return key_refusal(url)
    return "" if is_web(url) else "its url is neither http(s) nor in a bucket"


def public_name(url: str) -> str:
    """The photo name of an address: without credentials, and with a digest of its query.

    >>> public_name("https://photos.example/ada.jpg")
    'https://photos.example/ada.jpg'
    >>> public_name("https://photos.example/show?photo=1")
    'https://photos.example/show#d7e1fd873a2ecea95b7d25d7'
    """
    try:
        name, query = without_credentials(url), urlsplit(url).query if is_web(url) else ""
    except ValueError:
        return ""
    return f"{name}#{hashlib.sha256(query.encode()).hexdigest()[:24]}" if query else name


class UrlPhotos(PhotoSource):
    """Reads photos behind http(s), as the policy allows, and in the deployment's buckets.

    A local list also names photos below its `folder`.
    """

    def __init__(self, network_policy: NetworkPolicy, folder: str = "") -> None:
        super().__init__()
        self._folder = FolderPhotos(folder) if folder else None
        self._web = Web(network_policy)
        self._hosts = Hosts(self._closed)

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        address = ref.source or ref.name
        if is_web(address):
            with self._hosts.attempt(host_of(address)) as timeouts:
                return self._web.read(address, max_bytes, timeouts)
        if self._folder is not None and not scheme(address):
            return self._folder.read(ref._replace(name=address, source=""), max_bytes)
        if refusal := refusal_of(address):  # again: the plan may have been replaced
            raise PhotoUnreadable(refusal)
        try:
            fs, path = file_system(address)
        except UsageError as unknown:
            raise PhotoUnreadable(str(unknown)) from unknown
        except StorageUnavailable as away:
            raise Transient(str(away)) from away
        with reading():
            size = int(fs.info(path)["size"])
        if size > max_bytes:
            raise too_large(size, max_bytes)
        return read_file(fs, path, size)

    def close(self) -> None:
        """As `PhotoSource.close`."""
        super().close()
        if self._folder is not None:
            self._folder.close()
        self._web.close()
