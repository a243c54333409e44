"""Photos, archives, and real servers to fetch them from."""

from __future__ import annotations

import io
import re
import socket
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from meanface import retry
from meanface.dataset import open_dataset, open_photos
from meanface.dataset.http import guarded
from meanface.dataset.http.client import Web
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.refs import PhotoRef, Source
from meanface.settings import Settings
from meanface.storage.files import Storage

ANYWHERE = NetworkPolicy.of("allow")
"""The servers of the tests listen on loopback."""


@pytest.fixture
def anywhere() -> NetworkPolicy:
    return ANYWHERE


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same attempts, without the waits between them."""
    monkeypatch.setattr(retry, "WAITS", retry.WAITS._replace(first=0.0001))


@pytest.fixture(autouse=True)
def direct_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "storage"))


@pytest.fixture
def photo() -> Callable[..., bytes]:
    """A small photo; another one for another number."""

    def make(number: int = 0, kind: str = "PNG") -> bytes:
        encoded = io.BytesIO()
        Image.new("RGB", (8, 8), (number % 256, number // 256, 7)).save(encoded, kind)
        return encoded.getvalue()

    return make


@pytest.fixture
def tarred() -> Callable[..., bytes]:
    """A tar archive of (name, data) or TarInfo members, in order."""

    def make(*members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w") -> bytes:
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode=mode, errors="surrogateescape") as archive:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    archive.addfile(member)
                    continue
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
        return output.getvalue()

    return make


class Listed:
    """What a dataset listed, and a reader for it."""

    def __init__(self, refs: list[PhotoRef], source: Source, storage: Storage, network_policy: NetworkPolicy) -> None:
        self.refs, self.source, self.storage, self.network_policy = refs, source, storage, network_policy

    @property
    def names(self) -> list[str]:
        return sorted(ref.name for ref in self.refs)

    @property
    def refusals(self) -> dict[str, str]:
        return {ref.name: ref.refusal for ref in self.refs if ref.refusal}

    @property
    def passed_over(self) -> dict[str, int]:
        """Kind -> files."""
        return {each.kind: each.files for each in self.source.passed_over}

    def ref(self, name: str) -> PhotoRef:
        """The one with this name that is not refused."""
        (found,) = (ref for ref in self.refs if ref.name == name and not ref.refusal)
        return found

    def read(self, name: str, max_bytes: int = 1_000_000) -> bytes:
        with open_photos(self.source, self.storage, self.network_policy) as photos:
            return photos.read(self.ref(name), max_bytes)

    def read_all(self) -> dict[str, bytes]:
        with open_photos(self.source, self.storage, self.network_policy) as photos:
            return {ref.name: photos.read(ref, 1_000_000) for ref in self.refs if not ref.refusal}


@pytest.fixture
def listed(storage: Storage) -> Callable[..., Listed]:
    """List a dataset, as planning does."""

    def run(
        dataset: str | Path, in_storage: Storage = storage, network_policy: NetworkPolicy = ANYWHERE, **settings: object
    ) -> Listed:
        opened = open_dataset(Settings.of(dataset=str(dataset), **settings), in_storage, network_policy)
        refs = list(opened.list())
        # The manifest's JSON is how a source gets to the pods.
        return Listed(refs, Source.model_validate_json(opened.source.model_dump_json()), in_storage, network_policy)

    return run


class FileServer(ThreadingHTTPServer):
    """Serves `files` by path; can break connections, refuse ranges and answer with any status."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.ranges = True
        self.statuses: dict[str, list[int]] = {}
        """statuses of the next answers to a path"""
        self.breaks: list[int] = []
        """bytes after which the next longer answers break off"""
        self.asked: Counter[str] = Counter()
        self.asked_ranges: list[tuple[int, int]] = []
        self.authorizations: list[str | None] = []
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up, as those do that have read enough, are no error of a test."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        with self.server.lock:
            path = self.path.partition("?")[0]
            self.server.asked[self.path] += 1
            self.server.authorizations.append(self.headers["Authorization"])
            statuses = self.server.statuses.get(path)
            status = statuses.pop(0) if statuses else 200
        data = self.server.files.get(path)
        if data is None or status != 200:
            self._answer(404 if data is None else status, b"<html>an error page</html>")
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        if not (wanted and self.server.ranges) or self.headers["If-Range"] not in (
            None,
            self.server.headers.get("ETag"),
        ):
            self._answer(200, data)
            return
        first, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
        with self.server.lock:
            self.server.asked_ranges.append((first, last))
        self._answer(206, data[first : last + 1], f"bytes {first}-{last}/{len(data)}")

    def _answer(self, status: int, data: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        with self.server.lock:
            cut = self.server.breaks.pop(0) if self.server.breaks and len(data) > self.server.breaks[0] else None
        self.wfile.write(data[:cut])
        self.close_connection = cut is not None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name server: name -> the answers of one lookup after the other, the last for ever."""
    answers: dict[str, list[str]] = {}
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, port: int | None, *args: int, **kwargs: int) -> object:
        if host not in answers:
            return resolve(host, port, *args, **kwargs)
        now = answers[host]
        found = now.pop(0) if len(now) > 1 else now[0]
        return [one for address in found.split() for one in resolve(address, port, *args, **kwargs)]

    monkeypatch.setattr(guarded.socket, "getaddrinfo", getaddrinfo)
    return answers


@pytest.fixture
def ask() -> Callable[..., bytes]:
    def read(url: str, network_policy: NetworkPolicy = PUBLIC) -> bytes:
        client = Web(network_policy)
        try:
            return client.read(url, 1000)
        finally:
            client.close()

    return read


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """An empty bucket `photos` on a server that speaks S3, and its file system."""
    from s3fs import S3FileSystem

    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": moto_url})
    S3FileSystem.clear_instance_cache()
    fs = fsspec.filesystem("s3", use_listings_cache=False)
    fs.mkdir("photos")
    yield fs
    fs.rm("photos", recursive=True)
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def csv_list(tmp_path: Path) -> Callable[..., Path]:
    """Writes a list of these rows; its path."""

    def write(*rows: str, header: str = "url") -> Path:
        path = tmp_path / "list.csv"
        path.write_text("\n".join((header, *rows)))
        return path

    return write
