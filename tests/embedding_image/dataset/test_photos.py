"""Attempts: how many, and what ends them."""

from __future__ import annotations

import threading

import pytest

from meanface import retry
from meanface.dataset import PhotoUnreadable
from meanface.dataset.photos import PhotoSource, printable
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.retry import ATTEMPTS, Backoff, Stopped, Transient


class Flaky(PhotoSource):
    """Fails so many times before it succeeds."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.attempts = 0
        self.asked = threading.Event()

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:  # noqa: ARG002 - the same bytes for every photo
        self.attempts += 1
        self.asked.set()
        if self.attempts <= self.failures:
            raise Transient("the line is bad")
        return b"data"


REF = PhotoRef("a.png", 4)


def test_transient_errors_are_retried():
    assert Flaky(ATTEMPTS - 1).read(REF, 10) == b"data"


def test_lasting_errors_name_the_number_of_attempts():
    with pytest.raises(PhotoUnreadable, match=rf"the line is bad \({ATTEMPTS} attempts\)"):
        Flaky(ATTEMPTS).read(REF, 10)


def test_closing_ends_a_readers_wait_without_an_outcome(monkeypatch):
    monkeypatch.setattr(retry, "WAITS", Backoff(10_000, 4))
    photos = Flaky(1)
    failed = threading.Event()

    def read() -> None:
        with pytest.raises(Stopped):
            photos.read(REF, 10)
        failed.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert photos.asked.wait(30)
    photos.close()
    assert failed.wait(30)
    thread.join()
    assert photos.attempts == 1


@pytest.mark.parametrize("ends", [b"half a photo", Transient("the connection broke"), PhotoUnreadable("HTTP 410")])
def test_results_of_a_closed_source_are_discarded(ends):
    class ClosedMeanwhile(PhotoSource):
        def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:  # noqa: ARG002 - the same for every photo
            self.close()
            if isinstance(ends, Exception):
                raise ends
            return ends

    with pytest.raises(Stopped):
        ClosedMeanwhile().read(PhotoRef("a.png", UNKNOWN_SIZE), 100)


def test_waits_grow_and_are_random():
    for failures, least, most in ((1, 0.5, 1.5), (2, 2, 6), (3, 8, 24), (4, 15, 45), (10_000, 15, 45)):
        waits = {Backoff(1.0, 4.0, longest=30).after(failures) for _ in range(20)}
        assert len(waits) > 1
        assert all(least <= wait <= most for wait in waits)


@pytest.mark.parametrize("name", ["Zoë.jpg", "a\nb.jpg", "\udceb.jpg", "\ud800\udceb.jpg"])
def test_a_printable_name_can_always_be_encoded(name):
    shown, refusal = printable(name)
    shown.encode()
    assert bool(refusal) == (shown != name)
