"""What real hosts see of a run: how many requests at a time, rests, attempts, and the end of a stopped run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from meanface import __version__
from meanface.dataset.http import hosts
from meanface.dataset.http.hosts import AWAY_FAILURES, PHOTOS_PER_HOST
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.dataset.url_photos import UrlPhotos
from meanface.embedder.result import PhotoResult
from meanface.outcome import Outcome
from meanface.retry import ATTEMPTS, Stopped
from meanface.workers.prefetch import ReadAhead

PATIENCE = 120
"""seconds after which a test gives up on another thread"""
DEPTH = 2 * PHOTOS_PER_HOST

Answer = tuple[int, dict[str, str]] | None
"""status and headers; None breaks the connection off"""


class Host(ThreadingHTTPServer):
    """A server that counts its requests, and the requests in progress."""

    daemon_threads = True

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        """to the request of this number, from 1 on"""
        self.go = threading.Event()
        """for answers that wait for it"""
        self.asked: list[float] = []
        """when each request came"""
        self.in_hand = self.most_in_hand = 0
        self.user_agents: set[str] = set()
        self.changed = threading.Condition()
        threading.Thread(target=self.serve_forever, args=[0.01]).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up, as stopped ones do, are no error of a test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def photos(self, number: int) -> list[PhotoRef]:
        url = f"http://127.0.0.1:{self.server_port}"
        return [PhotoRef(f"{url}/{photo:03d}.png", UNKNOWN_SIZE) for photo in range(number)]

    def wait_for_requests(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= number, PATIENCE)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host

    def do_GET(self) -> None:
        server = self.server
        with server.changed:
            server.asked.append(time.monotonic())
            number = len(server.asked)
            server.in_hand += 1
            server.most_in_hand = max(server.most_in_hand, server.in_hand)
            server.user_agents.add(self.headers["User-Agent"])
            server.changed.notify_all()
        answer = server.answer(number)
        with server.changed:
            server.in_hand -= 1
        self.close_connection = answer is None
        if answer is not None:
            self.send_response(answer[0])
            for name, value in {"Content-Length": "5", **answer[1]}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"photo")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def ok(_: int) -> Answer:
    return 200, {}


@pytest.fixture
def host() -> Iterator[Callable[..., Host]]:
    """Start a server that answers so."""
    running: list[Host] = []

    def start(answer: Callable[[int], Answer] = ok) -> Host:
        running.append(Host(answer))
        return running[-1]

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def reading(photos: list[PhotoRef], source: UrlPhotos, depth: int = DEPTH) -> ReadAhead:
    return ReadAhead(photos, range(len(photos)), source, max_bytes=1000, at_once=depth)


@pytest.fixture
def slow(host: Callable[..., Host]) -> Iterator[Host]:
    """A host that answers when it is let `go`."""
    server = host(lambda _: (200, {}) if server.go.wait(PATIENCE) else None)
    yield server
    server.go.set()


def test_a_host_gets_a_limited_number_of_requests_at_a_time(slow, host, anywhere):
    fast = host()
    photos = slow.photos(3 * PHOTOS_PER_HOST) + fast.photos(50)
    with UrlPhotos(anywhere) as source:
        ahead = reading(photos, source, depth=4 * PHOTOS_PER_HOST)
        read = [next(ahead) for _ in range(50)]
        slow.wait_for_requests(PHOTOS_PER_HOST)
        slow.go.set()
        read += ahead
    assert slow.most_in_hand == PHOTOS_PER_HOST
    assert sorted(index for index, _ in read) == list(range(len(photos)))
    assert {photo.data for _, photo in read} == {b"photo"}
    assert slow.user_agents == {f"meanface/{__version__}"}


def test_photos_of_other_hosts_overtake_those_of_a_slow_one(slow, host, anywhere):
    photos = slow.photos(100) + host().photos(50)
    with UrlPhotos(anywhere) as source:
        ahead = reading(photos, source)
        assert sorted(next(ahead)[0] for _ in range(50)) == list(range(100, 150))
        slow.go.set()
        assert sorted(index for index, _ in ahead) == list(range(100))


def test_a_host_gets_no_request_during_its_pause(host, anywhere):
    together = threading.Barrier(PHOTOS_PER_HOST)
    refused: list[float] = []

    def answer(number: int) -> Answer:
        if number > PHOTOS_PER_HOST:
            return 200, {}
        together.wait(PATIENCE)
        refused.append(time.monotonic())
        return 429, {"Retry-After": "1"}

    busy = host(answer)
    with UrlPhotos(anywhere) as source:
        read = list(reading(busy.photos(3 * PHOTOS_PER_HOST), source, depth=4 * PHOTOS_PER_HOST))
    assert {photo.data for _, photo in read} == {b"photo"}
    assert len(busy.asked) == 4 * PHOTOS_PER_HOST
    assert busy.asked[PHOTOS_PER_HOST] - min(refused) >= 1


def test_each_photo_of_a_dead_host_gets_one_attempt_and_an_outcome(host, monkeypatch, anywhere):
    monkeypatch.setattr(hosts, "AWAY_SECONDS", 0.0)
    dead, alive = host(lambda _: None), host()
    photos = dead.photos(100) + alive.photos(20)
    with UrlPhotos(anywhere) as source:
        read = dict(reading(photos, source))
        unread = {index: result for index, result in read.items() if isinstance(result, PhotoResult)}
        assert (len(read), set(unread)) == (120, set(range(100)))
        assert {(result.outcome, result.detail.partition(" (")[0]) for result in unread.values()} == {
            (Outcome.UNREADABLE, "the connection broke")
        }
        # Photos that were requested during the outage had at most one attempt each; those before, all attempts.
        assert 100 < len(dead.asked) <= 100 + AWAY_FAILURES + PHOTOS_PER_HOST < 100 * ATTEMPTS
        dead.answer = ok
        assert source.read(photos[0], 10) == b"photo"
        failures = iter([None] * (ATTEMPTS - 1))
        dead.answer = lambda _: next(failures, (200, {}))
        assert source.read(photos[0], 10) == b"photo"


def asks_for_a_rest(_: int) -> Answer:
    return 429, {"Retry-After": "100"}


def test_closing_ends_pauses_and_decides_no_outcome(host, anywhere):
    busy = host(asks_for_a_rest)
    seen: list[object] = []
    ended = threading.Event()

    def read() -> None:
        with pytest.raises(Stopped):
            seen.extend(reading(busy.photos(50), source))
        ended.set()

    source = UrlPhotos(anywhere)
    thread = threading.Thread(target=read)
    thread.start()
    busy.wait_for_requests(1)
    source.close()
    assert ended.wait(PATIENCE)
    thread.join()
    assert seen == []


@pytest.mark.timeout(PATIENCE)
def test_a_reader_that_closes_early_does_not_wait(host, anywhere):
    busy, quick = host(asks_for_a_rest), host()
    with UrlPhotos(anywhere) as source:
        ahead = reading(busy.photos(50) + quick.photos(1), source)
        assert next(ahead)[0] == 50
        busy.wait_for_requests(1)
        ahead.close()
    assert len(busy.asked) <= PHOTOS_PER_HOST


def test_a_stopped_run_leaves_no_outcome_of_photos_that_waited(host, tmp_path):
    busy = host(asks_for_a_rest)
    (tmp_path / "list.csv").write_text("\n".join(["url", *(photo.name for photo in busy.photos(20))]))
    command = [
        sys.executable,
        "-m",
        "meanface",
        "run",
        str(tmp_path / "list.csv"),
        "--output",
        str(tmp_path / "out"),
    ]
    environment = os.environ | {"no_proxy": "127.0.0.1", "MEANFACE_PRIVATE_ADDRESSES": "127.0.0.0/8"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        busy.wait_for_requests(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    assert not list((tmp_path / "out").rglob("ledger/*/*"))
    assert not (tmp_path / "out" / "result.json").exists()
