"""Lists of URLs."""

from __future__ import annotations

import gzip
import resource
import socket
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.dataset import PhotoTooLarge, PhotoUnreadable
from meanface.dataset.refs import UNKNOWN_SIZE
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError


@pytest.fixture
def csv_list(tmp_path):
    def write(*rows: str, header: str = "url"):
        path = tmp_path / "list.csv"
        path.write_text("\n".join((header, *rows)))
        return path

    return write


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("remote", [True, False])
def test_photos_are_listed_by_their_urls_and_read(kind, remote, server, photo, listed, tmp_path):
    rows = [(f"{server.url}/{number}.png", f"Zoë\n{number % 7}", "x") for number in range(2500)]
    server.files |= {f"/{number}.png": photo(number) for number in range(3)}
    path = tmp_path / f"list.{kind}"
    table = pa.table(dict(zip(("url", "name", "label"), map(list, zip(*rows, strict=True)), strict=True)))
    if kind == "csv":
        path.write_text("\ufeffurl,name,label\n" + "".join(f'{url},"{name}",{label}\n' for url, name, label in rows))
    else:
        pq.write_table(table, path)
    server.files[f"/{path.name}"] = path.read_bytes()
    found = listed(f"{server.url}/{path.name}" if remote else path)
    assert [ref.name for ref in found.refs] == [row[0] for row in rows]
    assert {(ref.size, ref.offset, ref.refusal) for ref in found.refs} == {(UNKNOWN_SIZE, -1, "")}
    assert found.source.kind == "urls"
    assert found.source.warnings == ("the list's column 'name' is not used: a photo's name is its URL",)
    assert [found.read(rows[number][0]) for number in range(3)] == [photo(number) for number in range(3)]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_repeated_url_is_one_photo_and_no_failure(kind, tmp_path, listed):
    """Whatever stands beside it, and in the part of the address that no server sees."""
    base = "https://photos.example/a.png"
    urls = [base, "https://photos.example/b.png", base, f" {base} ", f"{base}#face-2", "s3://b/k#1", "s3://b/k#2"]
    path = tmp_path / f"list.{kind}"
    table = pa.table({"url": urls, "bbox": [str(n) for n in range(len(urls))]})
    if kind == "csv":
        path.write_text("url,bbox\n" + "".join(f"{url},{n}\n" for n, url in enumerate(urls)))
    else:
        pq.write_table(table, path)
    found = listed(path)
    assert [ref.name for ref in found.refs] == [base, urls[1], "s3://b/k#1", "s3://b/k#2"]
    assert (found.refusals, found.source.warnings) == ({}, ())
    assert found.passed_over == {"rows that repeat a URL": 3}
    assert found.source.passed_over[0].examples == (base, base, base)


def test_two_queries_of_which_a_short_hash_is_the_same_are_two_photos(csv_list, listed):
    """12 hexadecimal digits of SHA-256 are the same for these."""
    found = listed(csv_list(*(f"https://p.example/show?id={number}" for number in (491001, 16202930))))
    assert len(set(found.names)) == 2
    assert found.passed_over == {}


def test_the_name_is_the_address_but_never_its_credentials(csv_list, listed):
    found = listed(
        csv_list(
            "https://user:secret@photos.example/a.png",
            "https://photos.example/show?photo=1&key=secret",
            "https://photos.example/show?photo=2&key=secret",
        )
    )
    assert found.refusals == {}
    assert [ref.name.partition("#")[0] for ref in found.refs] == [
        "https://photos.example/a.png",
        "https://photos.example/show",
        "https://photos.example/show",
    ]
    assert len({ref.name for ref in found.refs}) == 3
    assert "secret" not in "".join(ref.name for ref in found.refs)


def test_rows_that_cannot_be_photos_are_refused(csv_list, listed):
    found = listed(
        csv_list(
            "https://photos.example/a.png,ada",
            "https://photos.example/b.png,ada",
            "https://photos.example/a.png,bob",
            ",nobody",
            "/etc/passwd,file",
            "file:///etc/passwd,url",
            "simplecache::file:///etc/passwd,chain",
            "",
            "https://photos.example/short.png",
            "http://[broken/,broken",
            header="url,name",
        )
    )
    assert [(ref.name, ref.refusal) for ref in found.refs] == [
        ("https://photos.example/a.png", ""),
        ("https://photos.example/b.png", ""),
        ("row 4", "its url is empty"),
        ("/etc/passwd", "its url is neither http(s) nor in a bucket"),
        ("file:///etc/passwd", "its url is neither http(s) nor in a bucket"),
        ("simplecache::file:///etc/passwd", "its url is neither http(s) nor in a bucket"),
        ("https://photos.example/short.png", ""),
        ("row 9", ""),
    ]
    with pytest.raises(PhotoUnreadable, match="not a valid address"):
        found.read("row 9")


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


def test_a_compressed_list_is_read_and_a_bomb_is_refused(server, listed, tmp_path, monkeypatch):
    monkeypatch.setattr("meanface.dataset.urls.BOMB_BYTES", 1_000_000)
    server.files["/list.csv"] = gzip.compress(b"url\nhttps://photos.example/a.png\n")
    server.headers["Content-Encoding"] = "gzip"
    assert listed(f"{server.url}/list.csv").names == ["https://photos.example/a.png"]
    for bomb, message in ((b"a" * 50 + b"\n", "decompression bomb"), (b"a", "a row has more than")):
        with gzip.open(tmp_path / "list.csv", "wb") as file:
            file.write(b"url\n" + bomb * (10_000_000 // len(bomb)))
        with pytest.raises(DamagedArchive, match=message):
            listed(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(server.files["/list.csv"][:-12])
    with pytest.raises(DamagedArchive, match="is not CSV"):
        listed(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "is not CSV, but an HTML page"),
        (b"PK\3\4 a workbook", "is not CSV, but a zip archive"),
        (b"PAR1" + bytes(100), "is not CSV, but a Parquet file"),
    ],
)
def test_a_file_that_is_no_list_is_named(data, message, listed, tmp_path):
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(DamagedArchive, match=message):
        listed(tmp_path / "list.csv")


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


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_column_is_named_with_the_existing_ones(kind, tmp_path, listed):
    path = tmp_path / f"list.{kind}"
    if kind == "csv":
        path.write_text("URL,name\nx,y\n")
    else:
        pq.write_table(pa.table({"URL": ["x"], "name": ["y"]}), path)
    with pytest.raises(SettingsError, match="has no column 'url'; its columns are: 'URL', 'name'"):
        listed(path)


def test_a_file_that_is_no_list_is_refused(tmp_path, listed):
    (tmp_path / "list.parquet").write_bytes(b"url\nhttps://photos.example/a.png")
    with pytest.raises(DamagedArchive, match=r"list\.parquet' is not a readable Parquet file"):
        listed(tmp_path / "list.parquet")
    (tmp_path / "list.csv").write_text("url\n" + "x" * 2_000_000)
    with pytest.raises(DamagedArchive, match=r"list\.csv' is not CSV"):
        listed(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("")
    with pytest.raises(SettingsError, match="its columns are: none"):
        listed(tmp_path / "list.csv")
    with pytest.raises(DatasetNotFound, match=r"no\.csv' does not exist"):
        listed(tmp_path / "no.csv")


def test_bytes_that_are_not_utf8_are_refused_by_row(tmp_path, listed):
    (tmp_path / "list.csv").write_bytes(b"url,name\nhttps://x.example/Zo\xeb.png,Zoe\n")
    assert listed(tmp_path / "list.csv").refusals == {"https://x.example/Zo\\xeb.png": "its name is not valid UTF-8"}


@pytest.mark.parametrize(
    "damage", [b"PAR1" + b"\0" * 20 + b"PAR1", b"no Parquet", b""], ids=["footer", "text", "empty"]
)
def test_a_damaged_parquet_list_is_not_a_missing_one(tmp_path, listed, damage):
    path = tmp_path / "list.parquet"
    path.write_bytes(damage)
    with pytest.raises(DamagedArchive, match="not a readable Parquet file"):
        listed(path)


def test_a_column_name_that_is_no_text_is_damage(tmp_path, listed):
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"url": ["https://photos.example/a.jpg"], "name": ["ada"]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"name", b"na\xccm"))
    with pytest.raises(DamagedArchive, match="not a readable Parquet file"):
        listed(path)


@pytest.mark.parametrize("row", ["http://x/a.png" + 2_000_000 * ",", 300_000 * '"a\n",', 2_000_000 * ","])
@pytest.mark.parametrize("before", ["url,name\n", "url,name\nhttp://x/b.png,b\n", ""])
def test_an_endless_row_is_not_kept_in_memory(before, row, listed, tmp_path):
    (tmp_path / "list.csv").write_text(before + row)
    with pytest.raises(DamagedArchive, match="a row has more than 1,048,576 characters"):
        listed(tmp_path / "list.csv")


def test_many_rows_are_not_one(listed, tmp_path):
    (tmp_path / "list.csv").write_text("url\n" + "".join(f"http://x/{n:090}.png\n" for n in range(20_000)))
    assert len(listed(tmp_path / "list.csv").refs) == 20_000


LISTED = r"""
import re, sys
from pathlib import Path
from meanface.ledger import photo_list  # its import sets Arrow's memory pool
from meanface.dataset.urls import UrlDataset
from meanface.errors import DamagedArchive
from meanface.dataset.network_policy import PUBLIC

def memory(line):
    return int(re.search(rf"{line}:\s*(\d+)", Path("/proc/self/status").read_text())[1]) // 1000

before = memory("VmRSS")
try:
    for _ in UrlDataset(sys.argv[1], parquet=True, network_policy=PUBLIC).list():
        pass
except DamagedArchive as refused:
    print(memory("VmHWM") - before, refused)
"""


def in_dictionary(value: str, rows: int) -> pa.Table:
    """A table of one value, which a file has once."""
    return pa.table({"url": pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([value]))})


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: other systems have no such memory limit")
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (in_dictionary("x" * 1_000_000, 10_000), "takes more than 256 MiB"),
        (in_dictionary("x" * 10_000, 50_000), "decompression bomb"),
        pytest.param(
            pa.table({"url": pa.nulls(20_000_000, pa.string())}), "decompression bomb", marks=pytest.mark.long
        ),
        (pa.table({"url": ["x" * 2_000_000]}), "a row has more than 1,048,576 characters"),
        pytest.param(None, "takes more than 256 MiB", marks=pytest.mark.long),
    ],
    ids=["batch", "rows", "nulls", "row", "page"],
)
def test_a_parquet_list_that_expands_to_gigabytes_is_refused(table, message, tmp_path):
    """In little memory, whatever sizes the file declares."""
    path = tmp_path / "list.parquet"
    table = pa.table({"url": ["x" * 300_000_000]}) if table is None else table  # made here, and gone after the test
    pq.write_table(table, path, compression="zstd", use_dictionary=table["url"].type != pa.string())
    assert path.stat().st_size < 100_000
    listed = subprocess.run([sys.executable, "-c", LISTED, str(path)], capture_output=True, text=True, check=True)
    megabytes, error = listed.stdout.split(maxsplit=1)
    assert message in error
    assert int(megabytes) < 300


def test_the_memory_limit_ends_after_the_list(tmp_path, listed):
    path = tmp_path / "list.parquet"
    before = resource.getrlimit(resource.RLIMIT_DATA)
    for table in (pa.table({"url": ["https://photos.example/a.png"]}), in_dictionary("x" * 2_000_000, 1)):
        pq.write_table(table, path)
        with suppress(DamagedArchive):
            listed(path)
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"url;name\nhttp://h/a.png;Ann\n", "Separate its columns with commas"),
        (b"sep=;\nurl;name\nhttp://h/a.png;Ann\n", "Separate its columns with commas"),
        (b"url\tname\nhttp://h/a.png\tAnn\n", "Separate its columns with commas"),
        ("url,name\nhttp://h/a.png,Ann\n".encode("utf-16"), "save it as `CSV UTF-8`"),
        (b"URL,TEXT\nhttp://h/a.png,Ann\n", "Rename 'URL' to 'url'"),
        (b"http://h/a.png\nhttp://h/b.png\n", "Put a line `url` before its first address"),
    ],
)
def test_a_list_without_the_column_is_refused_with_advice(data, advice, listed, tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="has no column 'url'") as refused:
        listed(path)
    assert str(refused.value).endswith(advice)
