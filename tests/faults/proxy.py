"""A TCP proxy between a stage and its server, which may be slow, cut a reply, or answer in S3's place."""

from __future__ import annotations

import select
import socket
import socketserver
import time
from contextlib import suppress
from threading import Lock, Thread
from typing import Self

_ERROR = b"<?xml version='1.0'?><Error><Code>%b</Code><Message>the test says so</Message></Error>"
_CODES = {500: b"InternalError", 503: b"SlowDown"}


class Proxy(socketserver.ThreadingTCPServer):
    """Passes bytes to a port and back; ends with the block."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.target = ("127.0.0.1", port)
        self.port: int = self.server_address[1]
        self.delay = 0.0
        """seconds before each piece of a reply is passed on"""
        self._lock = Lock()
        self._cuts: list[int] = []
        self._errors: list[int] = []
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def cut(self, size: int) -> None:
        """Break the next reply off after so many bytes."""
        with self._lock:
            self._cuts.append(size)

    def refuse(self, *statuses: int) -> None:
        """Answer the next HTTP requests with these statuses; they do not get through."""
        with self._lock:
            self._errors += statuses

    def accept(self) -> None:
        """Do nothing any more."""
        with self._lock:
            self.delay, self._cuts, self._errors = 0.0, [], []

    def next_cut(self) -> int | None:
        with self._lock:
            return self._cuts.pop(0) if self._cuts else None

    def next_error(self) -> int | None:
        with self._lock:
            return self._errors.pop(0) if self._errors else None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed, and servers, are what this is for."""

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()

    def __enter__(self) -> Self:
        return self


class _Relay(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection(self.server.target) as upstream, self.request as client:
            for each in (client, upstream):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._passed(client, upstream):
                pass

    def _passed(self, client: socket.socket, upstream: socket.socket) -> bool:
        """Pass on what comes; whether the connection goes on."""
        for source in select.select([client, upstream], [], [])[0]:
            data = source.recv(65536)
            if not data:
                return False
            if source is client:
                status = self.server.next_error() if _is_http(data) else None
                if status is not None:
                    client.sendall(_answer(status))
                    return False
                upstream.sendall(data)
                continue
            time.sleep(self.server.delay)
            size = self.server.next_cut()
            client.sendall(data if size is None else data[: min(size, len(data) - 1)])
            if size is not None:
                return False
        return True


def _is_http(data: bytes) -> bool:
    return data.split(b" ", 1)[0] in (b"GET", b"PUT", b"HEAD", b"POST", b"DELETE")


def _answer(status: int) -> bytes:
    body = _ERROR % _CODES[status]
    return b"HTTP/1.1 %d Error\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
