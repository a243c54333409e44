"""Hosts of a list: pauses and outages, with a simulated clock."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from meanface.dataset.http.client import PATIENT, QUICK, Timeouts
from meanface.dataset.http.headers import LONGEST_RETRY_AFTER, retry_after_seconds
from meanface.dataset.http.hosts import AWAY_FAILURES, AWAY_SECONDS, Hosts
from meanface.dataset.photos import PhotoTooLarge, PhotoUnreadable
from meanface.retry import Transient


class Clock(threading.Event):
    """An event that is never set; its waits take no time but are recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timeout
        return self.is_set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Hosts:
    return Hosts(clock, lambda: clock.now)


def ask(known: Hosts, name: str, failure: Exception | None = None) -> Timeouts:
    with known.attempt(name) as timeouts:
        if failure:
            raise failure
    return timeouts


def test_a_pause_is_for_one_host_and_an_earlier_request_does_not_end_it(known, clock):
    with known.attempt("a"), suppress(Transient):
        ask(known, "a", Transient("HTTP 503", 60))
    ask(known, "b")
    assert clock.waits == []
    ask(known, "a")
    ask(known, "a")
    assert [60 <= seconds <= 75 for seconds in clock.waits] == [True]


def test_a_shorter_pause_does_not_shorten_a_longer_one(known, clock):
    with suppress(Transient), known.attempt("a"):
        with suppress(Transient):
            ask(known, "a", Transient("HTTP 503", 60))
        raise Transient("HTTP 503", 1)
    ask(known, "a")
    assert sum(clock.waits) >= 60


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("99999", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("Sat, 07 Mar 2026 00:00:30 GMT", 30),
        ("Sat Mar  7 00:00:30 2026", 30),
        ("Fri, 06 Mar 2026 00:00:00 GMT", 0),
        ("Sun, 07 Mar 2027 00:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Fri, 06 Mar 99999 00:00:00 GMT", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_a_pause_is_a_number_or_a_date_and_is_bounded(value, seconds):
    assert retry_after_seconds(value, now=1772841600) == seconds  # 7 March 2026


def fail_often(known: Hosts, clock: Clock) -> None:
    for _ in range(AWAY_FAILURES):
        with pytest.raises(Transient):
            ask(known, "a", Transient("HTTP 503"))
    assert ask(known, "b") == PATIENT
    with pytest.raises(Transient):  # so many, but all in one moment
        ask(known, "a", Transient("HTTP 503"))
    clock.now += AWAY_SECONDS


def test_a_host_is_down_after_many_failures_over_some_time(known, clock):
    fail_often(known, clock)
    with pytest.raises(PhotoUnreadable, match=r"HTTP 503 \(and nothing else from its host for 30 seconds\)"):
        ask(known, "a", Transient("HTTP 503"))
    assert ask(known, "b") == PATIENT


@pytest.mark.parametrize("answer", [None, PhotoUnreadable("HTTP 404"), PhotoTooLarge("2 bytes")])
def test_any_answer_ends_an_outage(answer, known, clock):
    fail_often(known, clock)
    with suppress(PhotoUnreadable, PhotoTooLarge):
        assert ask(known, "a", answer) == QUICK
    assert ask(known, "a") == PATIENT
    with pytest.raises(Transient):
        ask(known, "a", Transient("HTTP 503"))


def test_photos_of_a_host_that_is_down_do_not_wait_for_its_pause(known, clock):
    fail_often(known, clock)
    with pytest.raises(PhotoUnreadable):
        ask(known, "a", Transient("HTTP 429", 60))
    with pytest.raises(PhotoUnreadable, match="HTTP 429"):
        ask(known, "a", AssertionError("it was asked in its rest"))
    assert clock.waits == []
    clock.now += 75
    assert ask(known, "a") == QUICK
