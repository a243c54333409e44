"""Be polite to hosts: few photos at a time, pauses on request, few attempts while a host is down."""

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
from meanface.tally import TALLY

PHOTOS_PER_HOST = 6
"""Photos of one host that a process reads at a time: as many connections as a browser opens. They
feed one CPU at 0.2 s per photo. A host sees this number times the number of embed tasks."""

AWAY_FAILURES = ATTEMPTS * PHOTOS_PER_HOST
AWAY_SECONDS = 30.0
"""A host counts as down after this many failed attempts in a row over this many seconds: after a short outage,
a partition's photos still have all their attempts."""


def host_of(address: str) -> str:
    """Host and port of an http(s) address; empty for any other.

    >>> host_of("https://Photos.Example/ada.jpg"), host_of("http://[::1]:8080/ada.jpg")
    ('photos.example:443', '::1:8080')
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
    """The recent attempts at a host."""

    failures: int = 0
    """since the last success"""
    failing_since: float = 0.0
    last_error: str = ""
    paused_until: float = 0.0

    def away(self, now: float) -> bool:
        return self.failures >= AWAY_FAILURES and now - self.failing_since >= AWAY_SECONDS


class Hosts:
    """Failures and pauses of hosts in one process; safe to use from several threads.

    The event `stopped` ends all waits; `clock` is monotonic, in seconds.
    """

    def __init__(self, stopped: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._stopped, self._clock = stopped, clock
        self._hosts = defaultdict[str, _Host](_Host)
        self._lock = threading.Lock()

    @contextmanager
    def attempt(self, name: str) -> Iterator[Timeouts]:
        """Make one attempt at a photo, with these timeouts, after its host's pause.

        While the host is down, `Transient` becomes `PhotoUnreadable`: each photo gets one attempt
        until one succeeds, and none during a pause. Raises `Stopped` if the wait was stopped.
        """
        with self._lock:
            host = self._hosts[name]
        away = self._wait(host)
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

    def _wait(self, host: _Host) -> bool:
        """Wait for the end of the host's pause; whether the host is down."""
        while (left := host.paused_until - self._clock()) > 0:
            if host.away(self._clock()):
                raise _away(host.last_error)
            with TALLY.waiting("hosts"):
                stopped = self._stopped.wait(left)
            if stopped:
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
            host.last_error = str(failure)
            # No task returns too early, nor all at the same moment.
            asked = failure.retry_after if isinstance(failure, Transient) else 0.0
            pause = asked * random.uniform(1.0, 1.25)  # noqa: S311 - not a secret
            host.paused_until = max(host.paused_until, now + pause)


def _away(error: str) -> PhotoUnreadable:
    return PhotoUnreadable(f"{error} (and nothing else from its host for {AWAY_SECONDS:.0f} seconds)")
