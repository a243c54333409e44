"""Bytes of photos behind URLs, and what such a URL may be."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from meanface.dataset.address import is_bucket, is_web
from meanface.dataset.bucket import file_system, key_refusal, read_file
from meanface.dataset.http.client import Web
from meanface.dataset.http.hosts import Hosts, host_of
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import PhotoSource, PhotoUnreadable, reading, too_large
from meanface.dataset.refs import PhotoRef
from meanface.errors import SettingsError
from meanface.storage.files import without_credentials


def refusal_of(url: str) -> str:
    """Why a list may not name an address; empty where it may.

    A list may come from elsewhere, and so may a manifest: neither can make this machine read its own files.

    >>> refusal_of("https://photos.example/ada.jpg"), refusal_of("/etc/passwd")
    ('', 'its url is neither http(s) nor in a bucket')
    """
    if not url:
        return "its url is empty"
    if is_bucket(url):
        return key_refusal(url)
    return "" if is_web(url) else "its url is neither http(s) nor in a bucket"


def public_name(url: str) -> str:
    """An address as a name: without credentials, but still another one where only the query differs.

    >>> public_name("https://photos.example/ada.jpg")
    'https://photos.example/ada.jpg'
    >>> public_name("https://photos.example/show?photo=1")
    'https://photos.example/show#d7e1fd873a2ecea95b7d25d7'
    """
    try:
        shown, query = without_credentials(url), urlsplit(url).query if is_web(url) else ""
    except ValueError:
        return ""
    return f"{shown}#{hashlib.sha256(query.encode()).hexdigest()[:24]}" if query else shown


class UrlPhotos(PhotoSource):
    """Reads photos behind http(s) and bucket addresses.

    Parameters
    ----------
    reach
        where photos behind http(s) may be; buckets are at the deployment's own endpoints
    """

    def __init__(self, network_policy: NetworkPolicy) -> None:
        super().__init__()
        self._web = Web(network_policy)
        self._hosts = Hosts(self._closed)

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        address = ref.source or ref.name
        if is_web(address):
            with self._hosts.attempt(host_of(address)) as patience:
                return self._web.read(address, max_bytes, patience)
        if refusal := refusal_of(address):  # again: what was planned may have been replaced
            raise PhotoUnreadable(refusal)
        try:
            fs, path = file_system(address)
        except SettingsError as unknown:
            raise PhotoUnreadable(str(unknown)) from unknown
        with reading():
            size = int(fs.info(path)["size"])
        if size > max_bytes:
            raise too_large(size, max_bytes)
        return read_file(fs, path, size)

    def close(self) -> None:
        """End waits between attempts, and release connections."""
        super().close()
        self._web.close()
