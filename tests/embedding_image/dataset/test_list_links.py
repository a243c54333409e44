"""What the addresses of a list answer: photos, errors, encodings."""

from __future__ import annotations

import gzip
import socket
import tracemalloc
import zlib

import pytest

from meanface.dataset import PhotoTooLarge, PhotoUnreadable


def test_dead_links_have_their_reason(server, photo, csv_list, listed):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    server.files |= {
        "/good.png": photo(),
        "/gone.png": b"",
        "/private.png": b"",
        "/busy.png": b"",
        "/later.png": photo(),
    }
    server.statuses = {"/gone.png": [410], "/private.png": [403], "/busy.png": [503] * 9, "/later.png": [500, 429]}
    rows = [f"{server.url}/{name}.png" for name in ("good", "missing", "gone", "private", "busy", "later")]
    found = listed(csv_list(*rows, f"http://127.0.0.1:{port}/a.png"))
    for name, message in {
        f"{server.url}/missing.png": "HTTP 404",
        f"{server.url}/gone.png": "HTTP 410",
        f"{server.url}/private.png": "HTTP 403",
        f"{server.url}/busy.png": "HTTP 503 (4 attempts)",
        f"http://127.0.0.1:{port}/a.png": "no connection (4 attempts)",
    }.items():
        with pytest.raises(PhotoUnreadable) as unreadable:
            found.read(name)
        assert str(unreadable.value) == message
    assert found.read(f"{server.url}/good.png") == found.read(f"{server.url}/later.png") == photo()
    assert {path: server.asked[f"/{path}.png"] for path in ("missing", "gone", "private", "busy")} == {
        "missing": 1,
        "gone": 1,
        "private": 1,
        "busy": 4,
    }


ENCODED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "aws-chunked": bytes,
    "identity": bytes,
    "br": bytes,
}


@pytest.mark.parametrize(("encoding", "encode"), ENCODED.items())
def test_an_encoded_answer_is_decoded(encoding, encode, server, photo, csv_list, listed):
    """One that is encoded though it was not asked for, and one that is only called so."""
    server.files |= {"/encoded.png": encode(photo()), "/plain.png": photo()}
    server.headers["Content-Encoding"] = encoding
    found = listed(csv_list(f"{server.url}/encoded.png", f"{server.url}/plain.png"))
    assert set(found.read_all().values()) == {photo()}


def test_an_unsupported_encoding_is_named(server, csv_list, listed):
    server.files["/a.png"] = b"\x1b\x2f\0\xf8" * 20
    server.headers["Content-Encoding"] = "br"
    found = listed(csv_list(f"{server.url}/a.png"))
    with pytest.raises(PhotoUnreadable, match="its server sends it encoded as 'br', which is not read"):
        found.read(f"{server.url}/a.png")


@pytest.mark.long
def test_an_encoded_bomb_is_refused(server, csv_list, listed):
    server.files["/a.png"] = gzip.compress(bytes(300_000_000))
    server.headers["Content-Encoding"] = "gzip"
    found = listed(csv_list(f"{server.url}/a.png"))
    tracemalloc.start()
    with pytest.raises(PhotoTooLarge, match="max_bytes=1,000,000"):
        found.read(f"{server.url}/a.png")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000


def test_a_broken_connection_is_tried_again(server, photo, csv_list, listed):
    server.files["/a.png"] = photo()
    server.breaks = [10, 10]
    assert listed(csv_list(f"{server.url}/a.png")).read(f"{server.url}/a.png") == photo()


@pytest.mark.parametrize("declared", [True, False])
def test_too_many_bytes_are_not_kept_in_memory(declared, server, csv_list, listed):
    server.files["/a.png"] = bytes(2_000_000)
    if not declared:
        server.headers["Content-Length"] = "unknown"
    found = listed(csv_list(f"{server.url}/a.png"))
    with pytest.raises(PhotoTooLarge, match="max_bytes=1,000"):
        found.read(f"{server.url}/a.png", max_bytes=1000)
