"""A local server with the endpoints of the Hugging Face Hub that `huggingface_hub` calls to list and read a repository.

They are, for datasets: a repository's record (`/api/datasets/ID`, and at a revision), its tree page by
page, records of single paths (`paths-info`), `auth-check`, and files (`resolve`). Statuses, headers
and records are the Hub's. As there, a small file is answered with its git identifier as ETag; a
large one, which git LFS holds, by a redirect to another server, with its SHA-256 as X-Linked-ETag.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_of-the-tests"
LARGE = 10_000
"""bytes from which on a file is in git LFS"""


@dataclass
class Repository:
    """Files of one dataset, by revision."""

    revisions: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    private: bool = False
    gated: bool = False

    @property
    def main(self) -> dict[str, bytes]:
        """Files of the default revision."""
        return self.revisions["main"]


class Hub(ThreadingHTTPServer):
    """The server; `repositories` by their names, such as `ada/faces`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, Repository] = {}
        self.page = 1000
        self.failing = False
        """whether each answer is 503"""
        self.asked: list[str] = []
        """requests, as method and path with query"""


@contextmanager
def hub() -> Iterator[Hub]:
    """Run the server."""
    with Hub() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


class _Refused(Exception):
    """An answer that is an error: its status, and the Hub's code for it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._respond(urlsplit(self.path).path, body)
        except _Refused as refused:
            status, code = refused.args
            self._answer(status, b"{}", {"X-Error-Code": code} if code else {})

    do_POST = do_GET  # noqa: N815 - the base class's name

    def _respond(self, path: str, body: bytes) -> None:
        if self.server.failing:
            raise _Refused(503, "")
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/([a-z-]+)(?:/(.*))?)?", path):
            self._api(found[1], found[2] or "", found[3] or "", body)
        elif found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(found[1], unquote(found[2]), unquote(found[3]))
        elif found := re.fullmatch(r"/lfs/([^/]+/[^/]+)/([^/]+)/(.+)", path):
            self._file(self._files(found[1], unquote(found[2]))[unquote(found[3])], {"ETag": '"of-another-server"'})
        else:
            raise _Refused(404, "")

    def _api(self, name: str, what: str, rest: str, body: bytes) -> None:
        repository = self._repository(name)
        revision, _, path = rest.partition("/")
        if what == "auth-check":
            self._check_access(repository)
            self._json({})
        elif what in ("", "revision"):
            self._files(name, unquote(revision) or "main")
            record = {"private": repository.private, "gated": "auto" if repository.gated else False, "sha": "0" * 40}
            record["siblings"] = [{"rfilename": path} for path in repository.main]
            wanted = parse_qs(urlsplit(self.path).query).get("expand", list(record))
            self._json({"id": name} | {key: record[key] for key in wanted})
        elif what == "tree":
            self._tree(self._files(name, unquote(revision)), unquote(path))
        elif what == "paths-info":
            entries = _entries(self._files(name, unquote(revision)))
            self._json([entries[each] for each in parse_qs(body.decode())["paths"] if each in entries])
        else:
            raise _Refused(404, "")

    def _tree(self, files: dict[str, bytes], folder: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        entries, start = _entries(files), f"{folder}/" if folder else ""
        if folder and entries.get(folder, {}).get("type") != "directory":
            raise _Refused(404, "EntryNotFound")
        below = [entry for path, entry in entries.items() if path.startswith(start)]
        if query["recursive"] == ["false"]:
            below = [entry for entry in below if "/" not in entry["path"][len(start) :]]
        at = int(query.get("cursor", ["0"])[0])
        headers = {}
        if at + self.server.page < len(below):
            next_page = f"{urlsplit(self.path).path}?recursive={query['recursive'][0]}&cursor={at + self.server.page}"
            headers["Link"] = f'<{self.server.url}{next_page}>; rel="next"'
        self._json(below[at : at + self.server.page], headers)

    def _resolve(self, name: str, revision: str, path: str) -> None:
        self._check_access(self._repository(name))
        data = self._files(name, revision).get(path)
        if data is None:
            raise _Refused(404, "EntryNotFound")
        if len(data) < LARGE:
            self._file(data, {"ETag": f'"{_blob_id(data)}"', "X-Repo-Commit": "0" * 40})
            return
        sha256 = hashlib.sha256(data).hexdigest()
        place = self.path.replace("/datasets/", "/lfs/").replace("/resolve/", "/")
        linked = {"X-Linked-ETag": f'"{sha256}"', "X-Linked-Size": str(len(data)), "X-Repo-Commit": "0" * 40}
        self._answer(302, b"", linked | {"Location": f"http://localhost:{self.server.server_port}{place}"})

    def _repository(self, name: str) -> Repository:
        found = self.server.repositories.get(name)
        if found is None or (found.private and not self._has_token()):
            raise _Refused(404 if self._has_token() else 401, "RepoNotFound")
        return found

    def _check_access(self, repository: Repository) -> None:
        if repository.gated and not self._has_token():
            raise _Refused(401, "GatedRepo")

    def _has_token(self) -> bool:
        return bool(self.headers["Authorization"] == f"Bearer {TOKEN}")

    def _files(self, name: str, revision: str) -> dict[str, bytes]:
        found = self.server.repositories[name].revisions.get(revision)
        if found is None:
            raise _Refused(404, "RevisionNotFound")
        return found

    def _file(self, data: bytes, headers: dict[str, str]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if wanted is None:
            self._answer(200, data, headers)
        elif int(wanted[1]) >= len(data):
            self._answer(416, b"", headers)
        else:
            part = data[int(wanted[1]) : int(wanted[2]) + 1 if wanted[2] else None]
            self._answer(206, part, headers)

    def _json(self, record: Any, headers: dict[str, str] | None = None) -> None:
        self._answer(200, json.dumps(record).encode(), {"Content-Type": "application/json"} | (headers or {}))

    def _answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def _entries(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Records of files and folders by path, each folder before what it holds."""
    found = dict[str, dict[str, Any]]()
    for path, data in sorted(files.items()):
        folders = path.split("/")[:-1]
        for depth in range(len(folders)):
            folder = "/".join(folders[: depth + 1])
            found.setdefault(folder, {"type": "directory", "oid": _blob_id(folder.encode()), "size": 0, "path": folder})
        found[path] = {"type": "file", "oid": _blob_id(data), "size": len(data), "path": path}
        if len(data) >= LARGE:
            lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            found[path]["lfs"] = lfs
            found[path]["oid"] = _blob_id(lfs["oid"].encode())
    return found


def _blob_id(data: bytes) -> str:
    """Git's identifier of a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
