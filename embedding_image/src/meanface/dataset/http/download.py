"""Download a remote file in parallel ranges, resumed after broken connections."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from meanface import retry
from meanface.dataset.address import is_web
from meanface.dataset.bucket import file_system, listing
from meanface.dataset.http.client import CHUNK, HttpStatus, TooSlow, Web
from meanface.dataset.http.deadline import DOWNLOAD_SECONDS, SLOWEST, MinimumRate, deadline
from meanface.dataset.http.headers import content_range, served_name
from meanface.dataset.http.hosts import Hosts, host_of
from meanface.dataset.network_policy import VARIABLE, NetworkPolicy
from meanface.dataset.photos import AddressRefused, PhotoUnreadable, reason
from meanface.dataset.scratch import scratch
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.retry import ATTEMPTS, Transient
from meanface.storage.files import without_credentials
from meanface.storage.version import VersionChanged, of_file, read_range

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

Found = TypeVar("Found")

RANGE = 1 << 24
"""bytes of one range"""
CONNECTIONS = 4
RESPONSE_SECONDS = 60.0
"""for the first response, of which only the headers are read"""


class WebFile:
    """A file behind http(s), whose `size` is None without ranges; an ETag holds ranges together."""

    def __init__(self, web: Web, url: str, first: BaseHTTPResponse) -> None:
        self._web, self._url = web, url
        self.size: int | None = None
        self._condition: dict[str, str] = {}
        if found := content_range(first):
            self.size = found[1]
            tag = first.headers.get("ETag", "")
            if tag and not tag.startswith("W/"):
                self._condition = {"If-Range": tag}

    def stream(self, start: int, end: int | None) -> Iterator[bytes]:
        """Read the bytes from `start` to before `end`."""
        wanted = {} if end is None else {"Range": f"bytes={start}-{end - 1}", **self._condition}
        with self._web.get(self._url, **wanted) as response:
            if wanted and content_range(response) != (start, self.size):
                raise _changed(self._url)
            yield from response.stream(CHUNK)


class BucketFile:
    """A file in a bucket."""

    def __init__(self, url: str) -> None:
        self._fs, self._path = file_system(url)
        self._url = url
        with listing(url):
            found = self._fs.info(self._path)
            self.size: int | None = int(found["size"])
            self._version = of_file(self._fs, self._path, found)
            self._key = self._fs.ukey(self._path)

    def stream(self, start: int, end: int | None) -> Iterator[bytes]:
        """Read the bytes from `start` to before `end`."""
        try:
            data = read_range(self._fs, self._path, start, end, self._version)
        except VersionChanged:
            raise _changed(self._url) from None
        except PermissionError:
            with listing(self._url):
                raise
        except OSError as error:
            raise Transient(reason(error)) from error
        yield data

    def check(self) -> None:
        """Check that the file has not changed since it was opened."""
        with listing(self._url):
            if self._fs.ukey(self._path) != self._key:
                raise _changed(self._url)


def _changed(url: str) -> StorageUnavailable:
    return StorageUnavailable(f"{without_credentials(url)} changed while it was downloaded: start the run again")


def download(url: str, target: Path, network_policy: NetworkPolicy) -> None:
    """Download the file behind an http(s) or bucket address to `target`.

    Raises `DatasetNotFound` if nothing is there or it may not be read, `SettingsError` if the policy
    does not allow the address, and `StorageUnavailable` if the server does not respond or
    keeps closing connections, or `target`'s folder is full.
    """
    if not is_web(url):
        remote = BucketFile(url)
        _Download(remote, url, target).run()
        remote.check()
        return
    with _web(url, network_policy) as web:
        _Download(_first_response(web, url, partial(WebFile, web, url)), url, target).run()


def name_on_server(url: str, network_policy: NetworkPolicy) -> str:
    """The file name that a server gives to a web address, or empty; raises as `download` does."""
    with _web(url, network_policy) as web:
        return _first_response(web, url, served_name)


@contextmanager
def _web(url: str, network_policy: NetworkPolicy) -> Iterator[Web]:
    """A client for a dataset, whose errors are about the dataset."""
    web = Web(network_policy)
    try:
        yield web
    except AddressRefused as refused:
        raise SettingsError(
            f"dataset {without_credentials(url)!r} is out of reach: {refused}. "
            f"To allow it, set {VARIABLE} to its network, such as 10.1.0.0/16, where the stages run"
        ) from refused
    except PhotoUnreadable as error:
        raise DatasetNotFound(f"dataset {without_credentials(url)!r}: {error}") from error
    finally:
        web.close()


def _first_response(web: Web, url: str, parse: Callable[[BaseHTTPResponse], Found]) -> Found:
    """Request the first byte, in several attempts, and parse the response's headers."""
    dataset, never = f"dataset {without_credentials(url)!r}", threading.Event()
    hosts = Hosts(never)

    def attempt() -> Found:
        with hosts.attempt(host_of(url)):  # after the pause that the server asked for
            try:
                with deadline(RESPONSE_SECONDS), web.get(url, Range="bytes=0-0") as response:
                    return parse(response)
            except TooSlow as slow:
                raise Transient(f"no response within {RESPONSE_SECONDS:.0f} seconds") from slow
            except HttpStatus as status:
                if status.transient:
                    raise Transient(str(status), status.retry_after) from status
                raise DatasetNotFound(f"{dataset} cannot be downloaded: the server answers {status}") from status

    try:
        return retry.with_retries(attempt, never)
    except Transient as away:
        raise StorageUnavailable(f"{dataset} cannot be reached: {away} ({ATTEMPTS} attempts)") from away


class _Download:
    """A download in progress."""

    def __init__(self, remote: WebFile | BucketFile, url: str, target: Path) -> None:
        self._remote, self._name, self._target = remote, f"the download of {without_credentials(url)}", target
        self._stopped = threading.Event()
        self._end = time.monotonic() + DOWNLOAD_SECONDS

    def run(self) -> None:
        file = os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if self._remote.size is None:
                self._fetch(file, 0, None)
            else:
                self._parallel(file, self._remote.size)
        finally:
            os.close(file)

    def _parallel(self, file: int, size: int) -> None:
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="download") as pool:
            ranges = [pool.submit(self._fetch, file, at, min(at + RANGE, size)) for at in range(0, size, RANGE)]
            try:
                for fetched in ranges:
                    fetched.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _fetch(self, file: int, start: int, end: int | None) -> None:
        """Write the bytes from `start` to before `end`, resuming behind what has arrived.

        Without `end`, the server serves no ranges: start again from the first byte.
        """
        at, limit, failures, rate = start, math.inf if end is None else end, 0, MinimumRate(self._end)
        while True:
            before, complete, cause, pause = at, False, "the connection broke", 0.0
            try:
                for chunk in rate.enforce(self._remote.stream(at, end)):
                    self._write(file, chunk, at)
                    at += len(chunk)
                complete = end is None
            except TooSlow as slow:
                raise StorageUnavailable(
                    f"{self._name} failed: less than {SLOWEST:,} bytes a second, "
                    f"or not done within {DOWNLOAD_SECONDS / 3600:.0f} hours"
                ) from slow
            except HttpStatus as status:
                if not status.transient:
                    raise StorageUnavailable(f"{self._name} failed: the server answers {status}") from status
                cause, pause = str(status), status.retry_after
            except Transient as error:
                cause = str(error)
            if complete or at >= limit:
                return
            failures = 1 if end is not None and at > before else failures + 1
            if failures >= ATTEMPTS or self._stopped.wait(pause + retry.WAITS.after(failures)):
                raise StorageUnavailable(f"{self._name} failed: {cause} ({failures} attempts)")
            if end is None:
                at = 0
                os.ftruncate(file, 0)

    def _write(self, file: int, chunk: bytes, at: int) -> None:
        if self._stopped.is_set():
            raise StorageUnavailable(f"{self._name} was stopped")
        view = memoryview(chunk)
        with scratch():
            while view:
                written = os.pwrite(file, view, at)
                view, at = view[written:], at + written
