"""A remote file into a local one: in parallel ranges, resumed where a connection broke, retried with growing waits."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from meanface import retry
from meanface.dataset.address import is_web
from meanface.dataset.bucket import file_system, listing
from meanface.dataset.http.client import CHUNK, HttpStatus, TooSlow, Web
from meanface.dataset.http.deadline import DOWNLOAD_SECONDS, SLOWEST, MinimumRate, deadline
from meanface.dataset.http.headers import content_range, served_name
from meanface.dataset.network_policy import VARIABLE, NetworkPolicy
from meanface.dataset.photos import AddressRefused, PhotoUnreadable, reason
from meanface.dataset.scratch import scratch
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable
from meanface.retry import ATTEMPTS, Transient
from meanface.storage.files import network_errors, without_credentials

Answer = TypeVar("Answer")

RANGE = 1 << 24
"""bytes of one range"""
CONNECTIONS = 4
ANSWER_SECONDS = 60.0
"""for the first answer about a dataset, of which nothing but the headers counts"""


class RemoteFile(Protocol):
    """A file to download."""

    size: int | None
    """bytes; None where parts of it cannot be asked for"""

    def stream(self, start: int, end: int | None) -> Iterator[bytes]:
        """Its bytes from `start` to before `end`; raises `Transient`."""
        ...


class WebFile:
    """A file behind HTTP. The first answer says whether ranges are served; an ETag holds the parts together."""

    def __init__(self, web: Web, url: str) -> None:
        self._web, self._url = web, url
        self.size: int | None = None
        self._condition: dict[str, str] = {}
        with web.get(url, Range="bytes=0-0") as answer:
            if found := content_range(answer):
                self.size = found[1]
                tag = answer.headers.get("ETag", "")
                if tag and not tag.startswith("W/"):
                    self._condition = {"If-Range": tag}

    def stream(self, start: int, end: int | None) -> Iterator[bytes]:
        """Its bytes from `start` to before `end`."""
        wanted = {} if end is None else {"Range": f"bytes={start}-{end - 1}", **self._condition}
        with self._web.get(self._url, **wanted) as answer:
            if wanted and content_range(answer) != (start, self.size):
                raise changed_meanwhile(self._url)
            yield from answer.stream(CHUNK)


class BucketFile:
    """A file in a bucket."""

    def __init__(self, url: str) -> None:
        self._fs, self._path = file_system(url)
        self._url = url
        with listing(url):
            self.size: int | None = int(self._fs.info(self._path)["size"])
            self._version = self._fs.ukey(self._path)

    def stream(self, start: int, end: int | None) -> Iterator[bytes]:
        """Its bytes from `start` to before `end`."""
        try:
            yield self._fs.cat_file(self._path, start=start, end=end)
        except Exception as error:
            if isinstance(error, network_errors()):
                raise Transient(reason(error)) from error
            raise

    def check(self) -> None:
        """See that the file is still the one whose parts were read."""
        with listing(self._url):
            if self._fs.ukey(self._path) != self._version:
                raise changed_meanwhile(self._url)


def changed_meanwhile(url: str) -> StorageUnavailable:
    """The refusal to put parts of two files together."""
    return StorageUnavailable(f"{without_credentials(url)} changed while it was downloaded: start the run again")


def download(url: str, target: Path, network_policy: NetworkPolicy) -> None:
    """Put the file behind an http(s) or bucket address into `target`.

    Raises
    ------
    DatasetNotFound
        nothing is there, or it may not be read
    SettingsError
        it is behind http(s), and out of reach
    StorageUnavailable
        the server is away or keeps breaking off, or `target`'s folder is full
    """
    if not is_web(url):
        remote = BucketFile(url)
        _Download(remote, url, target).run()
        remote.check()
        return
    with _web(url, network_policy) as web:
        _Download(_asked(lambda: WebFile(web, url), url), url, target).run()


def name_on_server(url: str, network_policy: NetworkPolicy) -> str:
    """The file name that a server gives to what is behind an http(s) address; empty where it gives none.

    Raises
    ------
    DatasetNotFound
        nothing is there, or it may not be read
    SettingsError
        it is out of reach
    StorageUnavailable
        the server is away
    """

    def ask() -> str:
        with web.get(url, Range="bytes=0-0") as answer:
            return served_name(answer)

    with _web(url, network_policy) as web:
        return _asked(ask, url)


@contextmanager
def _web(url: str, network_policy: NetworkPolicy) -> Iterator[Web]:
    """A client for a dataset, whose refusals are about a setting."""
    web = Web(network_policy)
    try:
        yield web
    except AddressRefused as refused:
        raise SettingsError(
            f"dataset {without_credentials(url)!r} is out of reach: {refused}. "
            f"If it may be read, set {VARIABLE} to its network, such as 10.1.0.0/16, where the stages run"
        ) from refused
    except PhotoUnreadable as wrong:
        raise DatasetNotFound(f"dataset {without_credentials(url)!r}: {wrong}") from wrong
    finally:
        web.close()


def _asked(question: Callable[[], Answer], url: str) -> Answer:
    """The answer to a first question about a dataset behind HTTP, after some attempts."""
    shown = without_credentials(url)

    def attempt() -> Answer:
        try:
            with deadline(ANSWER_SECONDS):
                return question()
        except TooSlow as slow:
            raise Transient(f"no answer within {ANSWER_SECONDS:.0f} seconds") from slow
        except HttpStatus as status:
            if status.passing:
                raise Transient(str(status)) from status
            raise DatasetNotFound(f"dataset {shown!r} cannot be had: the server answers {status}") from status

    try:
        return retry.with_retries(attempt, threading.Event())
    except Transient as away:
        raise StorageUnavailable(f"dataset {shown!r} cannot be reached: {away} ({ATTEMPTS} attempts)") from away


class _Download:
    """One download under way."""

    def __init__(self, remote: RemoteFile, url: str, target: Path) -> None:
        self._remote, self._shown, self._target = remote, without_credentials(url), target
        self._stopped = threading.Event()
        self._end = time.monotonic() + DOWNLOAD_SECONDS

    def run(self) -> None:
        file = os.open(self._target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if self._remote.size is None:
                self._whole(file)
            else:
                self._parallel(file, self._remote.size)
        finally:
            os.close(file)

    def _parallel(self, file: int, size: int) -> None:
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="download") as pool:
            ranges = [pool.submit(self._range, file, at, min(at + RANGE, size)) for at in range(0, size, RANGE)]
            try:
                for done in ranges:
                    done.result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _range(self, file: int, start: int, end: int) -> None:
        """Bytes from `start` to before `end`, going on behind what has arrived when a connection breaks."""
        failures, pace = 0, MinimumRate(self._end)
        while start < end:
            before, trouble = start, "the connection broke"
            try:
                for chunk in pace.kept(self._remote.stream(start, end)):
                    self._write(file, chunk, start)
                    start += len(chunk)
            except TooSlow as slow:
                raise self._too_slow() from slow
            except (Transient, HttpStatus) as error:
                trouble = str(error)
            if start < end:
                failures = 1 if start > before else failures + 1
                self._wait(failures, trouble)

    def _whole(self, file: int) -> None:
        """All bytes, from the first on again when the connection breaks: the server serves no ranges."""
        pace = MinimumRate(self._end)
        for failures in range(1, ATTEMPTS + 1):
            at = 0
            try:
                for chunk in pace.kept(self._remote.stream(0, None)):
                    self._write(file, chunk, at)
                    at += len(chunk)
            except TooSlow as slow:
                raise self._too_slow() from slow
            except (Transient, HttpStatus) as error:
                self._wait(failures, str(error))
                os.ftruncate(file, 0)
            else:
                return

    def _too_slow(self) -> StorageUnavailable:
        return StorageUnavailable(
            f"the download of {self._shown} failed: less than {SLOWEST:,} bytes a second, "
            f"or not done within {DOWNLOAD_SECONDS / 3600:.0f} hours"
        )

    def _wait(self, failures: int, trouble: str) -> None:
        if failures >= ATTEMPTS or self._stopped.wait(retry.WAITS.after(failures)):
            raise StorageUnavailable(f"the download of {self._shown} failed: {trouble} ({failures} attempts)")

    def _write(self, file: int, chunk: bytes, at: int) -> None:
        if self._stopped.is_set():
            raise StorageUnavailable(f"the download of {self._shown} was stopped")
        view = memoryview(chunk)
        with scratch():
            while view:
                written = os.pwrite(file, view, at)
                view, at = view[written:], at + written
