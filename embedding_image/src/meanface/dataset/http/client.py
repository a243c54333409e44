"""An HTTP(S) client with time limits, redirects and proxies, under a network policy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from meanface import __version__
from meanface.dataset.content import START, UNKNOWN, identify
from meanface.dataset.http.deadline import deadline, time_left
from meanface.dataset.http.headers import quoted, redirect_target, retry_after_seconds
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import PhotoTooLarge, PhotoUnreadable, too_large
from meanface.retry import Transient

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


class Timeouts(NamedTuple):
    """Longest waits, in seconds."""

    connect: float
    silence: float
    """for the next bytes of a response"""
    photo: float
    """for a whole photo: a server that drips bytes must not hold up a run"""


PATIENT = Timeouts(connect=10.0, silence=60.0, photo=300.0)
QUICK = Timeouts(connect=3.0, silence=10.0, photo=60.0)
"""for a server that probably does not respond"""
MAX_REDIRECTS = 10
CHUNK = 1 << 18

_NOT_DECODED = frozenset({"br", "zstd", "compress", "x-compress"})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpStatus(Exception):
    """An unexpected status, such as HTTP 404."""

    def __init__(self, status: int, retry_after: str = "") -> None:
        super().__init__(f"HTTP {status}")
        self.transient = status in _TRANSIENT
        self.retry_after = retry_after_seconds(retry_after, time.time()) if status in (429, 503) else 0.0


class TooSlow(PhotoUnreadable):
    """The response was not complete at its deadline."""


class Web:
    """A client that connects where the policy allows.

    Errors are `PhotoUnreadable` (an invalid or forbidden address, a bad redirect, `TooSlow`),
    `HttpStatus`, or `Transient` for every other network error.
    """

    def __init__(self, network_policy: NetworkPolicy) -> None:
        from meanface.dataset.http.guarded import direct_pools, proxy_pools

        self._direct = direct_pools(network_policy)
        self._proxies = {
            scheme: proxy_pools(url, network_policy)
            for scheme, url in getproxies().items()
            if scheme in ("http", "https") and url.startswith("http")
        }

    @contextmanager
    def get(self, url: str, timeouts: Timeouts = PATIENT, /, **headers: str) -> Iterator[BaseHTTPResponse]:
        """Request an address; the response has status 200 or 206, and its body is not yet read."""
        from urllib3.exceptions import DecodeError, HTTPError

        response = self._follow(url, timeouts, headers)
        try:
            if response.status not in (200, 206):
                raise HttpStatus(response.status, response.headers.get("Retry-After", ""))
            yield response
        except DecodeError:
            raise
        except HTTPError as error:
            raise _failure(error, timeouts) from error
        finally:
            response.close()  # after a whole response, its connection is back in the pool already

    def _follow(self, url: str, timeouts: Timeouts, headers: dict[str, str]) -> BaseHTTPResponse:
        """Follow redirects; each address is checked when a connection to it is made."""
        response = self._request(url, timeouts, headers)
        seen = {url}
        while location := response.get_redirect_location():
            response.close()  # unread: it may never end
            url = redirect_target(url, location)
            if url in seen:
                raise PhotoUnreadable(f"redirected in a circle, to {quoted(url)}")
            if len(seen) > MAX_REDIRECTS:
                raise PhotoUnreadable(f"more than {MAX_REDIRECTS} redirects, the last to {quoted(url)}")
            seen.add(url)
            try:
                # Neither a redirect's own user and password are sent, nor the first host's to
                # another one.
                response = self._request(_split_user(url)[0], timeouts, headers)
            except PhotoUnreadable as refused:
                raise type(refused)(f"{refused}; redirected to {quoted(url)}") from refused
        return response

    def _request(self, url: str, timeouts: Timeouts, headers: dict[str, str]) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout, make_headers

        try:
            bare, user = _split_user(url)
            headers = {"Accept-Encoding": "identity", "User-Agent": f"meanface/{__version__}", **headers}
            if user:
                headers |= make_headers(basic_auth=user)
            timeout = Timeout(connect=timeouts.connect, read=timeouts.silence)
            # Callers count attempts: they know what was received before.
            options: dict[str, Any] = {"retries": False, "redirect": False, "preload_content": False}
            return self._pool(bare).request(
                "GET", bare, headers=headers, timeout=timeout, decode_content=False, **options
            )
        except ValueError as error:  # urllib3's LocationValueError is one
            raise PhotoUnreadable("not a valid address") from error
        except HTTPError as error:
            raise _failure(error, timeouts) from error

    def read(self, url: str, max_bytes: int, timeouts: Timeouts = PATIENT) -> bytes:
        """Read all bytes behind an address, up to `max_bytes`.

        A server may encode its response (`Content-Encoding`) against the request: gzip and deflate
        are decoded.
        """
        from urllib3.exceptions import DecodeError

        try:
            with deadline(timeouts.photo):
                try:
                    return self._read(url, max_bytes, timeouts, decode=True)
                except DecodeError:  # some servers declare an encoding that the bytes do not have
                    return self._read(url, max_bytes, timeouts, decode=False)
        except HttpStatus as status:
            if status.transient:
                raise Transient(str(status), status.retry_after) from status
            raise PhotoUnreadable(str(status)) from status

    def _read(self, url: str, max_bytes: int, timeouts: Timeouts, *, decode: bool) -> bytes:
        data = bytearray()
        with self.get(url, timeouts) as response:
            declared = response.headers.get("Content-Length", "")
            if declared.isdecimal() and int(declared) > max_bytes:
                raise too_large(int(declared), max_bytes)
            for chunk in response.stream(CHUNK, decode_content=decode):
                data += chunk
                if len(data) > max_bytes:
                    raise PhotoTooLarge(f"more than max_bytes={max_bytes:,} bytes")
                if not time_left():  # a fast body without end never waits, and so never times out
                    raise _too_slow(timeouts)
            encoding = response.headers.get("Content-Encoding", "")
        if encoding.lower() in _NOT_DECODED and identify(bytes(data[:START])).name == UNKNOWN:
            raise PhotoUnreadable(f"its server sends it encoded as {encoding!r}, which is not read")
        return bytes(data)

    def close(self) -> None:
        """Close idle connections; one with a request in flight stays open until the request ends."""
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _pool(self, url: str) -> PoolManager:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        return self._direct if proxy is None or proxy_bypass(parts.hostname or "") else proxy


def _split_user(url: str) -> tuple[str, str]:
    """Split an address into one without credentials, and `user:password`."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), unquote(user)


def _failure(error: Exception, timeouts: Timeouts) -> Exception:
    return Transient(_describe(error, timeouts)) if time_left() else _too_slow(timeouts)


def _too_slow(timeouts: Timeouts) -> TooSlow:
    return TooSlow(f"took more than {timeouts.photo:.0f} seconds")


def _describe(error: Exception, timeouts: Timeouts) -> str:
    """Describe a network error without the addresses and objects that urllib3's message has."""
    name = type(error).__name__
    words = {
        "NewConnectionError": "no connection",
        "NameResolutionError": "unknown host",
        "ConnectTimeoutError": f"no connection within {timeouts.connect:.0f} seconds",
        "ReadTimeoutError": f"no bytes for {timeouts.silence:.0f} seconds",
        "IncompleteRead": "the connection broke",
        "ProtocolError": "the connection broke",
        "SSLError": "the TLS connection failed",
    }
    return words.get(name, name)
