"""HTTP(S): pools of connections, with time limits, redirects and proxies, to addresses within reach."""

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
from meanface.dataset.http.headers import redirected, rest_seconds, shown
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import PhotoTooLarge, PhotoUnreadable, too_large
from meanface.retry import Transient

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


class Timeouts(NamedTuple):
    """Longest waits, in seconds."""

    connect: float
    silence: float
    """for the next bytes of an answer"""
    photo: float
    """for a whole photo: a server that drips bytes may not hold a run up"""


PATIENT = Timeouts(connect=10.0, silence=60.0, photo=300.0)
QUICK = Timeouts(connect=3.0, silence=10.0, photo=60.0)
"""with a server that is likely to be away"""
MAX_REDIRECTS = 10
CHUNK = 1 << 18

_NOT_DECODED = frozenset({"br", "zstd", "compress", "x-compress"})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpStatus(Exception):
    """An answer other than the one asked for, such as HTTP 404."""

    def __init__(self, status: int, retry_after: str = "") -> None:
        super().__init__(f"HTTP {status}")
        self.passing = status in _PASSING
        self.rest = rest_seconds(retry_after, time.time()) if status in (429, 503) else 0.0


class TooSlow(PhotoUnreadable):
    """The answer was not there when its deadline came."""


class Web:
    """A client.

    Errors are `PhotoUnreadable` (no address, one out of reach, redirects that lead nowhere, `TooSlow`), `HttpStatus`,
    or `Transient` for all else on the way there and back.

    Parameters
    ----------
    reach
        where it may connect to
    """

    def __init__(self, network_policy: NetworkPolicy) -> None:
        from meanface.dataset.http.guarded import direct, proxied

        self._direct = direct(network_policy)
        self._proxies = {
            scheme: proxied(url, network_policy)
            for scheme, url in getproxies().items()
            if scheme in ("http", "https") and url.startswith("http")
        }

    @contextmanager
    def get(self, url: str, timeouts: Timeouts = PATIENT, /, **headers: str) -> Iterator[BaseHTTPResponse]:
        """Ask for an address; the answer's status is 200 or 206, its bytes not yet read."""
        from urllib3.exceptions import DecodeError, HTTPError

        answer = self._ask(url, timeouts, headers)
        try:
            if answer.status not in (200, 206):
                raise HttpStatus(answer.status, answer.headers.get("Retry-After", ""))
            yield answer
        except DecodeError:
            raise
        except HTTPError as broken:
            raise _failure(broken, timeouts) from broken
        finally:
            answer.close()  # of an answer that was read whole, the connection is back in the pool already

    def _ask(self, url: str, timeouts: Timeouts, headers: dict[str, str]) -> BaseHTTPResponse:
        """The first answer that is no redirect; each address on the way is checked when it is connected to."""
        answer = self._request(url, timeouts, headers)
        seen = {url}
        while location := answer.get_redirect_location():
            answer.close()  # and not read: there may be no end of it
            url = redirected(url, location)
            if url in seen:
                raise PhotoUnreadable(f"redirected in a circle, to {shown(url)}")
            if len(seen) > MAX_REDIRECTS:
                raise PhotoUnreadable(f"more than {MAX_REDIRECTS} redirects, the last to {shown(url)}")
            seen.add(url)
            try:
                # What a redirect says of users and passwords is not sent, and nobody else is told the first host's.
                answer = self._request(_split_user(url)[0], timeouts, headers)
            except PhotoUnreadable as refused:
                raise type(refused)(f"{refused}; redirected to {shown(url)}") from refused
        return answer

    def _request(self, url: str, timeouts: Timeouts, headers: dict[str, str]) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError
        from urllib3.util import Timeout, make_headers

        try:
            bare, user = _split_user(url)
            headers = {"Accept-Encoding": "identity", "User-Agent": f"meanface/{__version__}", **headers}
            if user:
                headers |= make_headers(basic_auth=user)
            timeout = Timeout(connect=timeouts.connect, read=timeouts.silence)
            # Attempts are counted by the callers, who know what was already received.
            options: dict[str, Any] = {"retries": False, "redirect": False, "preload_content": False}
            return self._pool(bare).request(
                "GET", bare, headers=headers, timeout=timeout, decode_content=False, **options
            )
        except ValueError as wrong:  # urllib3's own errors about addresses among them
            raise PhotoUnreadable("not a valid address") from wrong
        except HTTPError as failed:
            raise _failure(failed, timeouts) from failed

    def read(self, url: str, max_bytes: int, timeouts: Timeouts = PATIENT) -> bytes:
        """All bytes behind an address, of which there may be `max_bytes`.

        A server may encode its answer (`Content-Encoding`) though it is asked not to: gzip and deflate are decoded.
        """
        from urllib3.exceptions import DecodeError

        try:
            with deadline(timeouts.photo):
                try:
                    return self._read(url, max_bytes, timeouts, decode=True)
                except DecodeError:  # servers also declare an encoding that the bytes do not have
                    return self._read(url, max_bytes, timeouts, decode=False)
        except HttpStatus as status:
            if status.passing:
                raise Transient(str(status), status.rest) from status
            raise PhotoUnreadable(str(status)) from status

    def _read(self, url: str, max_bytes: int, timeouts: Timeouts, *, decode: bool) -> bytes:
        data = bytearray()
        with self.get(url, timeouts) as answer:
            declared = answer.headers.get("Content-Length", "")
            if declared.isdecimal() and int(declared) > max_bytes:
                raise too_large(int(declared), max_bytes)
            for chunk in answer.stream(CHUNK, decode_content=decode):
                data += chunk
                if len(data) > max_bytes:
                    raise PhotoTooLarge(f"more than max_bytes={max_bytes:,} bytes")
                if not time_left():  # also where there is no waiting for bytes that never end
                    raise _too_slow(timeouts)
            encoding = answer.headers.get("Content-Encoding", "")
        if encoding.lower() in _NOT_DECODED and identify(bytes(data[:START])).name == UNKNOWN:
            raise PhotoUnreadable(f"its server sends it encoded as {encoding!r}, which is not read")
        return bytes(data)

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._direct, *self._proxies.values()):
            pool.clear()

    def _pool(self, url: str) -> PoolManager:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        return self._direct if proxy is None or proxy_bypass(parts.hostname or "") else proxy


def _split_user(url: str) -> tuple[str, str]:
    """The address without user and password, and these as `user:password`."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), unquote(user)


def _failure(error: Exception, timeouts: Timeouts) -> Exception:
    return Transient(_in_words(error, timeouts)) if time_left() else _too_slow(timeouts)


def _too_slow(timeouts: Timeouts) -> TooSlow:
    return TooSlow(f"took more than {timeouts.photo:.0f} seconds")


def _in_words(error: Exception, timeouts: Timeouts) -> str:
    """A network error without the addresses and object representations that the library puts into it."""
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
