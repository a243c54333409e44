"""Servers that drip: real ones, which send a byte now and then and would do so for ever."""

from __future__ import annotations

import itertools
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from meanface.dataset.http import deadline, download, hosts
from meanface.dataset.http.client import Timeouts, TooSlow, Web
from meanface.dataset.http.deadline import time_left
from meanface.dataset.http.hosts import AWAY_FAILURES
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.dataset.url_photos import UrlPhotos
from meanface.errors import StorageUnavailable
from polling import until

SHORT = Timeouts(connect=5.0, silence=5.0, photo=0.5)
PATIENCE = 20
"""seconds after which a test takes a server for one that holds it"""
ANSWER = b"HTTP/1.1 200 OK\r\n"
ENDLESS = ANSWER + b"Transfer-Encoding: chunked\r\n\r\n"


class Dripping:
    """A server that answers with a beginning, and then with a piece again and again."""

    def __init__(self, begin: bytes, piece: bytes, tls: ssl.SSLContext | None) -> None:
        self._begin, self._piece, self._tls = begin, piece, tls
        self._stopped = threading.Event()
        self.asked = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listening.getsockname()[1]}/a.tar"
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        with suppress(OSError):
            while not self._stopped.is_set():
                self._threads.append(threading.Thread(target=self._answer, args=[self._listening.accept()[0]]))
                self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            client = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with client:
                client.recv(65536)
                self.asked += 1
                client.sendall(self._begin)
                while not self._stopped.wait(0.02):
                    client.sendall(self._piece)

    def close(self) -> None:
        self._stopped.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def dripping() -> Iterator[Callable[..., Dripping]]:
    running: list[Dripping] = []

    def start(begin: bytes, piece: bytes = b"x", tls: ssl.SSLContext | None = None) -> Dripping:
        running.append(Dripping(begin, piece, tls))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """With a certificate that clients of this test trust."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


DRIPS = {
    "status": (b"HTTP/1.1 ", b"2"),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers": (ANSWER + b"X: ", b"x"),
    "body": (ANSWER + b"Content-Length: 1000000\r\n\r\n", b"x"),
    "no length": (ANSWER + b"\r\n", b"x"),
    "chunks": (ENDLESS, b"1\r\nx\r\n"),
    "chunk size": (ENDLESS, b"1;x"),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_photo_has_one_deadline_whatever_drips(drip, dripping, anywhere):
    server, began = dripping(*DRIPS[drip]), time.monotonic()
    with pytest.raises(TooSlow, match="took more than 0 seconds"):
        Web(anywhere).read(server.url, 1_000_000, SHORT)
    assert time.monotonic() - began < PATIENCE


def test_a_photo_has_one_deadline_over_tls(dripping, anywhere, tls):
    server, began = dripping(*DRIPS["body"], tls), time.monotonic()
    with pytest.raises(TooSlow):
        Web(anywhere).read(server.url, 1_000_000, SHORT)
    assert server.asked == 1
    assert time.monotonic() - began < PATIENCE


def test_a_photo_has_one_deadline_behind_a_proxy(dripping, anywhere, monkeypatch):
    server = dripping(*DRIPS["headers"])
    monkeypatch.setattr("meanface.dataset.http.client.getproxies", lambda: {"http": server.url})
    monkeypatch.setattr("meanface.dataset.http.client.proxy_bypass", lambda _: False)
    with pytest.raises(TooSlow):
        Web(anywhere).read("http://photos.example/a.png", 1_000_000, SHORT)


def test_redirects_are_within_the_deadline(dripping, anywhere):
    last = dripping(*DRIPS["headers"])
    for _ in range(5):
        last = dripping(f"HTTP/1.1 302 Found\r\nLocation: {last.url}\r\n\r\n".encode())
    began = time.monotonic()
    with pytest.raises(TooSlow):
        Web(anywhere).read(last.url, 1_000_000, SHORT)
    assert time.monotonic() - began < PATIENCE


def test_a_host_that_drips_counts_as_down(dripping, anywhere, monkeypatch):
    """A photo costs one attempt, and after many of them less time each."""
    monkeypatch.setattr(hosts, "PATIENT", SHORT._replace(photo=0.05))
    monkeypatch.setattr(hosts, "QUICK", SHORT._replace(photo=0.04))
    monkeypatch.setattr(hosts, "AWAY_SECONDS", 0.0)
    server = dripping(*DRIPS["body"])
    details = []
    with UrlPhotos(anywhere) as photos:
        for _ in range(AWAY_FAILURES + 1):
            with pytest.raises(TooSlow if len(details) < AWAY_FAILURES else Exception) as slow:
                photos.read(PhotoRef(server.url, UNKNOWN_SIZE), 1_000_000)
            details.append(str(slow.value))
    assert until(lambda: server.asked == len(details)), "one request for each photo"
    assert ["nothing else from its host" in detail for detail in details] == [False] * AWAY_FAILURES + [True]


RANGED = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/1000000\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize(
    "begin", [RANGED, ANSWER + b"Content-Length: 1000000\r\n\r\n", ENDLESS], ids=["ranges", "no ranges", "chunks"]
)
def test_a_download_has_a_minimum_rate(begin, dripping, anywhere, monkeypatch, tmp_path):
    monkeypatch.setattr(deadline, "GRACE", 0.5)
    monkeypatch.setattr(deadline, "WINDOW", 5_000)
    server, began = dripping(begin, b"1\r\nx\r\n" if begin is ENDLESS else b"x"), time.monotonic()
    if begin is RANGED:
        monkeypatch.setattr(download, "content_range", lambda _: (0, 1_000_000))
    with pytest.raises(StorageUnavailable, match=re.escape(f"{server.url} failed: less than 10,000 bytes a second")):
        download.download(server.url, tmp_path / "download", anywhere)
    assert time.monotonic() - began < PATIENCE


def test_a_fast_download_has_a_total_limit(dripping, anywhere, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "DOWNLOAD_SECONDS", 1.0)
    server, began = dripping(ENDLESS, b"4000\r\n" + bytes(0x4000) + b"\r\n"), time.monotonic()
    with pytest.raises(StorageUnavailable, match="or not done within 0 hours"):
        download.download(server.url, tmp_path / "download", anywhere)
    assert time.monotonic() - began < PATIENCE


def test_connections_that_break_after_every_byte_are_limited(server, anywhere, monkeypatch, tmp_path):
    """Each attempt brings something, so that the attempts never end."""
    monkeypatch.setattr(deadline, "GRACE", 0.5)
    monkeypatch.setattr(deadline, "WINDOW", 5_000)
    server.files["/a"] = bytes(1_000_000)
    server.breaks = [1] * 100_000
    with pytest.raises(StorageUnavailable, match="less than 10,000 bytes a second"):
        download.download(f"{server.url}/a", tmp_path / "download", anywhere)


def test_headers_that_drip_are_requested_again_and_given_up(dripping, anywhere, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "RESPONSE_SECONDS", 0.2)
    server = dripping(*DRIPS["headers"])
    with pytest.raises(StorageUnavailable, match=r"no response within 0 seconds \(4 attempts\)"):
        download.download(server.url, tmp_path / "download", anywhere)
    with pytest.raises(StorageUnavailable, match=r"no response within 0 seconds \(4 attempts\)"):
        download.name_on_server(server.url, anywhere)


def test_of_nested_deadlines_the_first_counts():
    with deadline.deadline(100), deadline.deadline(1000):
        assert 99 < time_left() <= 100
        with deadline.deadline(-1):
            assert time_left() == 0
    assert time_left() == float("inf")


def test_a_rate_is_measured_again_in_every_window(monkeypatch):
    monkeypatch.setattr(deadline, "WINDOW", 100)
    monkeypatch.setattr(deadline, "GRACE", 1000.0)
    left = []

    def pieces() -> Iterator[bytes]:
        for _ in itertools.repeat(None, 10):
            left.append(time_left())
            time.sleep(0.01)
            yield bytes(50)

    assert sum(map(len, deadline.MinimumRate(time.monotonic() + 5000).enforce(pieces()))) == 500
    assert all(early > late for early, late in zip(left[::2], left[1::2], strict=True))
    assert all(late < next_ for late, next_ in zip(left[1::2], left[2::2], strict=False))
