"""Where servers redirect to: real ones, on loopback."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from meanface.dataset import PhotoUnreadable
from meanface.dataset.http.headers import decode_utf8, redirect_target
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import AddressRefused

LOOPBACK = NetworkPolicy.of("127.0.0.1/32")
REFUSED = "address, which MEANFACE_PRIVATE_ADDRESSES does not allow"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{port}/a.png", "http://inside.example:{port}/a.png", "http://10.0.0.1/"]
)
def test_a_redirect_cannot_reach_a_forbidden_address(target, server, ask, names):
    names["inside.example"] = ["127.0.0.3"]
    server.files |= {"/a.png": b"secret", "/from.png": b"x"}
    server.statuses["/from.png"] = [302]
    server.headers["Location"] = target.format(port=server.server_port)
    with pytest.raises(AddressRefused, match=f"{REFUSED}; redirected to '{re.escape(server.headers['Location'])}'$"):
        ask(f"{server.url}/from.png", LOOPBACK)
    assert list(server.asked) == ["/from.png"]


@pytest.mark.parametrize("sent", ["/été b.png", "/%C3%A9t%C3%A9%20b.png"])
def test_a_redirect_may_have_letters_in_utf8(sent, server, ask):
    server.files |= {"/%C3%A9t%C3%A9%20b.png": b"photo", "/from.png": b"x"}
    server.statuses["/from.png"] = [302]
    server.headers["Location"] = sent.encode().decode("latin-1")  # the bytes that Python's server sends
    assert ask(f"{server.url}/from.png", LOOPBACK) == b"photo"


def test_a_header_in_latin_1_is_read_too():
    assert decode_utf8("/caf\xc3\xa9.jpg") == decode_utf8("/caf\xe9.jpg") == "/café.jpg"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a.png", "gopher://127.0.0.1/"])
def test_a_redirect_never_leaves_http(target, server, ask):
    server.files["/from.png"] = b"x"
    server.statuses["/from.png"] = [302]
    server.headers["Location"] = target
    with pytest.raises(PhotoUnreadable, match=rf"redirected out of http\(s\), to '{target}'"):
        ask(f"{server.url}/from.png", LOOPBACK)


def redirecting(server: Any, ask: Callable[..., bytes], target: str) -> str:
    """The refusal of a photo that is redirected."""
    server.files["/from.png"] = b"x"
    server.statuses["/from.png"] = [302] * 100
    server.headers["Location"] = target
    with pytest.raises(PhotoUnreadable) as refused:
        ask(f"http://user:secret@{server.url.removeprefix('http://')}/from.png", LOOPBACK)
    return str(refused.value)


@pytest.mark.parametrize(
    ("target", "ending"),
    [
        ("http://user:secret@10.0.0.1/a.png?token=secret", "does not allow; redirected to 'http://10.0.0.1/a.png'"),
        ("https://user:secret@10.0.0.1/a\x9b.png", r"does not allow; redirected to 'https://10.0.0.1/a\x9b.png'"),
        ("ftp://user:secret@10.0.0.1/a.png", "redirected out of http(s), to 'ftp://10.0.0.1/a.png'"),
        ("/from.png?again", "redirected in a circle, to '{url}/from.png'"),
        ("http://[::1/?secret", "redirected to what is not a valid address"),
        ("//:0@/secret" + 1000 * "x", "not a valid address; redirected to 'http:///secret" + 186 * "x" + "'"),
    ],
)  # fmt: skip
def test_the_target_of_a_redirect_is_reported_without_credentials(target, ending, server, ask):
    found = redirecting(server, ask, target)
    assert found.endswith(ending.format(url=server.url)), found
    assert "user" not in found
    assert "token" not in found


def test_the_number_of_redirects_is_limited(server, ask):
    """A server that always knows another address."""
    server.files = {f"/{number}.png": b"x" for number in range(100)}
    server.statuses = {path: [302] for path in server.files}
    numbers = iter(range(1, 100))

    class Onward(dict):
        def items(self):
            return [("Location", f"/{next(numbers)}.png")]

    server.headers = Onward()
    with pytest.raises(PhotoUnreadable, match=f"more than 10 redirects, the last to '{server.url}/11.png'"):
        ask(f"{server.url}/0.png", LOOPBACK)
    assert sum(server.asked.values()) == 11


def test_a_redirect_may_be_relative():
    assert redirect_target("https://photos.example/a/b.jpg", "../c.jpg") == "https://photos.example/c.jpg"


def test_a_redirect_from_https_to_http_is_refused():
    assert redirect_target("http://photos.example/a", "https://photos.example/a") == "https://photos.example/a"
    with pytest.raises(PhotoUnreadable, match=r"redirected from https to http, to 'http://photos\.example/b'"):
        redirect_target("https://photos.example/a", "http://photos.example/b")


def test_a_redirect_gets_no_other_hosts_password(server, ask):
    server.files |= {"/from.png": b"x", "/a.png": b"photo"}
    server.statuses["/from.png"] = [302]
    server.headers["Location"] = f"http://other:one@127.0.0.1:{server.server_port}/a.png"
    assert ask(f"http://user:secret@127.0.0.1:{server.server_port}/from.png", LOOPBACK) == b"photo"
    assert server.authorizations == ["Basic dXNlcjpzZWNyZXQ=", None]


def test_the_body_of_a_redirect_is_not_read(ask, anywhere):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        received = threading.Event()

        def answer() -> None:
            with listening.accept()[0] as connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\n\r\n")
                while True:
                    connection.sendall(bytes(1_000_000))
            received.set()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(PhotoUnreadable, match="redirected out of"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}/", anywhere)
        assert received.wait(60)
        thread.join()
