"""HTTP(S): pools of connections, with time limits, redirects and proxies, to addresses within reach."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from meanface import __version__
from meanface.dataset.photos import PhotoTooLarge, PhotoUnreadable, too_large
from meanface.dataset.retry import Transient
from meanface.reach import Reach

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


class Patience(NamedTuple):
    """Longest waits, in seconds."""

    connect: float
    silence: float
    """for the next bytes of an answer"""


PATIENT = Patience(connect=10.0, silence=60.0)
QUICK = Patience(connect=3.0, silence=10.0)
"""with a server that is likely to be away"""
PHOTO_SECONDS = 300.0
"""longest time for one photo: a server that drips bytes may not hold a run up"""
REST_SECONDS = 120.0
"""longest rest that a server is given at its word"""
CHUNK = 1 << 18

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class HttpStatus(Exception):
    """An answer other than the one asked for, such as HTTP 404."""

    def __init__(self, status: int, retry_after: str = "") -> None:
        super().__init__(f"HTTP {status}")
        self.passing = status in _PASSING
        self.rest = rest_seconds(retry_after, time.time()) if status in (429, 503) else 0.0


class Web:
    """A client. Errors are `AddressRefused`, `HttpStatus`, or `Transient` for all else on the way there and back.

    Parameters
    ----------
    reach
        where it may connect to
    """

    def __init__(self, reach: Reach) -> None:
        from urllib3 import Retry

        from meanface.dataset.guarded import direct, proxied

        # Attempts are counted by the callers, who know what was already received: here only redirects are followed.
        retries = Retry(total=None, connect=0, read=0, status=0, other=0, redirect=10)
        self._direct = direct(reach, retries)
        self._proxies = {
            scheme: proxied(url, reach, retries)
            for scheme, url in getproxies().items()
            if scheme in ("http", "https") and url.startswith("http")
        }

    @contextmanager
    def get(self, url: str, patience: Patience = PATIENT, /, **headers: str) -> Iterator[BaseHTTPResponse]:
        """Ask for an address; the answer's status is 200 or 206, its bytes not yet read."""
        from urllib3.exceptions import HTTPError

        answer = self._ask(url, patience, headers)
        try:
            if answer.status not in (200, 206):
                raise HttpStatus(answer.status, answer.headers.get("Retry-After", ""))
            yield answer
        except HTTPError as broken:
            raise Transient(_in_words(broken, patience)) from broken
        finally:
            answer.close()  # of an answer that was read whole, the connection is back in the pool already

    def _ask(self, url: str, patience: Patience, headers: dict[str, str]) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError, MaxRetryError
        from urllib3.util import Timeout, make_headers

        try:
            bare, user = _split_user(url)
            headers = {"Accept-Encoding": "identity", "User-Agent": f"meanface/{__version__}", **headers}
            if user:
                headers |= make_headers(basic_auth=user)
            pool = self._pool(bare)
            timeout = Timeout(connect=patience.connect, read=patience.silence)
            return pool.request(
                "GET", bare, headers=headers, timeout=timeout, preload_content=False, decode_content=False
            )
        except ValueError as wrong:  # urllib3's own errors about addresses among them
            raise PhotoUnreadable("not a valid address") from wrong
        except HTTPError as failed:
            cause = failed.reason if isinstance(failed, MaxRetryError) and failed.reason else failed
            raise Transient(_in_words(cause, patience)) from failed

    def read(self, url: str, max_bytes: int, patience: Patience = PATIENT) -> bytes:
        """All bytes behind an address, of which there may be `max_bytes`."""
        deadline = time.monotonic() + PHOTO_SECONDS
        data = bytearray()
        try:
            with self.get(url, patience) as answer:
                declared = answer.headers.get("Content-Length", "")
                if declared.isdecimal() and int(declared) > max_bytes:
                    raise too_large(int(declared), max_bytes)
                for chunk in answer.stream(CHUNK):
                    data += chunk
                    if len(data) > max_bytes:
                        raise PhotoTooLarge(f"more than max_bytes={max_bytes:,} bytes")
                    if time.monotonic() > deadline:
                        raise PhotoUnreadable(f"took more than {PHOTO_SECONDS:.0f} seconds")
        except HttpStatus as status:
            if status.passing:
                raise Transient(str(status), status.rest) from status
            raise PhotoUnreadable(str(status)) from status
        return bytes(data)

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _pool(self, url: str) -> PoolManager:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        return self._direct if proxy is None or proxy_bypass(parts.hostname or "") else proxy


def rest_seconds(retry_after: str, now: float) -> float:
    """Seconds for which a server asks to be left alone: its `Retry-After`, as a number or a date.

    >>> rest_seconds("7", now=0), rest_seconds("Thu, 01 Jan 1970 00:00:30 GMT", now=0), rest_seconds("soon", now=0)
    (7.0, 30.0, 0.0)
    """
    if retry_after.isdecimal():
        return min(float(retry_after), REST_SECONDS)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return 0.0
    seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), REST_SECONDS)


def content_range(answer: BaseHTTPResponse) -> tuple[int, int] | None:
    """First byte of a partial answer, and the size of the whole."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found and answer.status == 206 else None


def served_name(answer: BaseHTTPResponse) -> str:
    """The file name that a server gives its answer; empty where it gives none."""
    disposition = answer.headers.get("Content-Disposition", "")
    found = re.search(r"filename\*=(?:UTF-8|utf-8)''([^;]+)", disposition)
    if found:
        return unquote(found[1])
    found = re.search(r'filename="?([^";]+)', disposition)
    return found[1].strip() if found else ""


def _split_user(url: str) -> tuple[str, str]:
    """The address without user and password, and these as `user:password`."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), unquote(user)


def _in_words(error: Exception, patience: Patience) -> str:
    """A network error without the addresses and object representations that the library puts into it."""
    name = type(error).__name__
    words = {
        "NewConnectionError": "no connection",
        "NameResolutionError": "unknown host",
        "ConnectTimeoutError": f"no connection within {patience.connect:.0f} seconds",
        "ReadTimeoutError": f"no bytes for {patience.silence:.0f} seconds",
        "IncompleteRead": "the connection broke",
        "ProtocolError": "the connection broke",
        "SSLError": "the TLS connection failed",
        "ResponseError": "too many redirects",
        "TooManyRedirects": "too many redirects",
    }
    return words.get(name, name)
