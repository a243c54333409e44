"""What a list's hosts ask for: few photos at a time, a rest when they say so, no insisting while they are away."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from meanface.dataset.address import is_web
from meanface.dataset.http.client import PATIENT, QUICK, Timeouts, TooSlow
from meanface.dataset.photos import PhotoTooLarge, PhotoUnreadable
from meanface.retry import ATTEMPTS, Stopped, Transient

PHOTOS_PER_HOST = 6
"""Photos of one host in reading at a time, in one process: as many connections as a browser opens. At 0.2 s for a photo
they feed one CPU. Partitions know nothing of each other: a host sees this many times the number of embed tasks."""

AWAY_FAILURES = ATTEMPTS * PHOTOS_PER_HOST
AWAY_SECONDS = 30.0
"""A host is away after so many failed attempts in a row, over so long a time: a short outage does not cost a
partition's photos their further attempts."""


def host_of(address: str) -> str:
    """Host and port of an http(s) address; of any other, the empty string.

    >>> host_of("https://Photos.Example/ada.jpg"), host_of("http://[::1]:8080/ada.jpg"), host_of("s3://photos/ada.jpg")
    ('photos.example:443', '::1:8080', '')
    """
    if not is_web(address):
        return ""
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}"


@dataclass
class _Host:
    """What came of the attempts of late."""

    failures: int = 0
    """since the last answer"""
    failing_since: float = 0.0
    trouble: str = ""
    rests_until: float = 0.0

    def away(self, now: float) -> bool:
        return self.failures >= AWAY_FAILURES and now - self.failing_since >= AWAY_SECONDS


class Hosts:
    """Hosts as one process has met them; safe to use from several threads.

    Parameters
    ----------
    stopped
        ends all waits
    clock
        seconds, never going back
    """

    def __init__(self, stopped: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._stopped, self._clock = stopped, clock
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._lock = threading.Lock()

    @contextmanager
    def attempt(self, name: str) -> Iterator[Timeouts]:
        """One attempt at a photo, begun when its host has rested; with how much patience it is to be made.

        Raises
        ------
        PhotoUnreadable
            instead of `Transient` where the host is away: each photo gets one attempt, until one succeeds. While a host
            that is away rests, its photos get none.
        Stopped
            while the host rested
        """
        with self._lock:
            host = self._hosts[name]
        away = self._rest(host)
        try:
            yield QUICK if away else PATIENT
        except (Transient, TooSlow) as failure:
            self._failed(host, failure)
            if away:
                raise _away(str(failure)) from failure
            raise
        except (PhotoUnreadable, PhotoTooLarge):
            self._answered(host)
            raise
        self._answered(host)

    def _rest(self, host: _Host) -> bool:
        """Wait until the host may be asked; whether it is away."""
        while (left := host.rests_until - self._clock()) > 0:
            if host.away(self._clock()):
                raise _away(host.trouble)
            if self._stopped.wait(left):
                raise Stopped
        return host.away(self._clock())

    def _answered(self, host: _Host) -> None:
        with self._lock:
            host.failures = 0

    def _failed(self, host: _Host, failure: Transient | TooSlow) -> None:
        with self._lock:
            now = self._clock()
            if not host.failures:
                host.failing_since = now
            host.failures += 1
            host.trouble = str(failure)
            # Not all tasks are to return in the same moment, nor any too early.
            asked = failure.rest if isinstance(failure, Transient) else 0.0
            rest = asked * random.uniform(1.0, 1.25)  # noqa: S311 - not a secret
            host.rests_until = max(host.rests_until, now + rest)


def _away(trouble: str) -> PhotoUnreadable:
    return PhotoUnreadable(f"{trouble} (and nothing else from its host for {AWAY_SECONDS:.0f} seconds)")
