"""Lists of photos."""

from __future__ import annotations

import gzip
import json
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
    assert found.passed_over == {"rows that repeat a photo": 3}
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
        ("/etc/passwd", "its path leads out of the list's folder: keep the list in a folder above the photos"),
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


@pytest.mark.long
def test_a_compressed_list_is_read_and_a_bomb_is_refused(server, listed, tmp_path, monkeypatch):
    monkeypatch.setattr("meanface.dataset.table.lines.BOMB_BYTES", 1_000_000)
    server.files["/list.csv"] = gzip.compress(b"url\nhttps://photos.example/a.png\n")
    server.headers["Content-Encoding"] = "gzip"
    assert listed(f"{server.url}/list.csv").names == ["https://photos.example/a.png"]
    for bomb, message in ((b"a" * 50 + b"\n", "decompression bomb"), (b"a", "a row has more than")):
        with gzip.open(tmp_path / "list.csv", "wb") as file:
            file.write(b"url\n" + bomb * (10_000_000 // len(bomb)))
        with pytest.raises(DamagedArchive, match=message):
            listed(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(server.files["/list.csv"][:-12])
    with pytest.raises(DamagedArchive, match="is not readable as CSV"):
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
        path.write_text("id,name\nx,y\n")
    else:
        pq.write_table(pa.table({"id": ["x"], "name": ["y"]}), path)
    with pytest.raises(SettingsError, match=r"has no column 'url'.* its columns are: 'id', 'name'"):
        listed(path)


def test_a_file_that_is_no_list_is_refused(tmp_path, listed):
    (tmp_path / "list.parquet").write_bytes(b"url\nhttps://photos.example/a.png")
    with pytest.raises(DamagedArchive, match=r"list\.parquet' is not readable as Parquet"):
        listed(tmp_path / "list.parquet")
    (tmp_path / "list.csv").write_text("url\n" + "x" * 2_000_000)
    with pytest.raises(DamagedArchive, match=r"list\.csv' is not readable as CSV"):
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
    with pytest.raises(DamagedArchive, match="not readable as Parquet"):
        listed(path)


def test_a_column_name_that_is_no_text_is_damage(tmp_path, listed):
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"url": ["https://photos.example/a.jpg"], "name": ["ada"]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"name", b"na\xccm"))
    with pytest.raises(DamagedArchive, match="not readable as Parquet"):
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
from meanface.dataset import open_dataset
from meanface.errors import DamagedArchive
from meanface.settings import Settings
from meanface.storage.files import Storage

def memory(line):
    return int(re.search(rf"{line}:\s*(\d+)", Path("/proc/self/status").read_text())[1]) // 1000

before = memory("VmRSS")
try:
    for _ in open_dataset(Settings.of(dataset=sys.argv[1]), Storage(sys.argv[1] + ".d")).list():
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
        pytest.param(in_dictionary("x" * 10_000, 50_000), "decompression bomb", marks=pytest.mark.long),
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


ONE = "https://h/a.png"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("list.csv", f"url;name\n{ONE};Ann\n".encode()),
        ("list.csv", f"sep=;\r\nurl;name\r\n{ONE};Ann\r\n".encode()),
        ("list.csv", f"sep=\t\r\nurl\tname\r\n{ONE}\tAnn\r\n".encode()),
        ("list.csv", f"url\tname\n{ONE}\tAnn\n".encode()),
        ("list.csv", f"name|Image URL\nAnn, of X|{ONE}\n".encode()),
        ("list.csv", f"url,name\n{ONE},Ann\n".encode("utf-16")),
        ("list.csv", f"url,name\n{ONE},Ann\n".encode("utf-16-be")),
        ("list.csv", f"url,name\n{ONE},Ann\n".encode("utf-32")),
        ("list.csv", f"\n\nURL,TEXT\n{ONE},Ann\n".encode()),
        ("list.tsv", f"name\timage\nAnn, of X\t{ONE}\n".encode()),
        ("list.jsonl", f'{{"id": 1}}\n\n{{"id": 2, "image_url": "{ONE}"}}\n'.encode()),
        ("list.ndjson", f'{{"path": "{ONE}"}}'.encode()),
        ("list.txt", f"{ONE}\n\n".encode("utf-16")),
        ("list.txt", f"\ufeffurl\r\n{ONE}\r\n".encode()),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)])
def test_text_lists_are_read_in_any_form(name, data, pack, listed, tmp_path):
    """Whatever the file's name says about its compression."""
    (tmp_path / name).write_bytes(pack(data))
    found = listed(tmp_path / name)
    assert [ref.name for ref in found.refs if not ref.refusal] == [ONE]
    assert set(found.refusals.values()) <= {"its url is empty"}


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst", ".GZ"])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "txt", "parquet"])
def test_lists_are_known_by_their_names(form, suffix, listed, tmp_path):
    path = tmp_path / f"list.{form}{suffix}"
    texts = {"jsonl": '{"url": "https://h/a.png"}\n'}
    path.write_text(texts.get(form, "url\nhttps://h/a.png\n"))
    if form == "parquet":
        pq.write_table(pa.table({"url": [ONE]}), path)
    packed = {".gz": gzip.compress, ".zst": lambda data: pa.compress(data, "zstd", asbytes=True)}
    path.write_bytes(packed.get(suffix.lower(), bytes)(path.read_bytes()))
    assert listed(path).names == [ONE]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_columns_are_those_that_the_settings_name(form, listed, tmp_path):
    rows = {"url": ["https://h/1", "https://h/2"], "where": ["https://h/a", "https://h/b"], "id": ["x", "y"]}
    rows |= {"who": [" Ann", "Jose\u0301 "]}
    path = tmp_path / f"list.{form}"
    table = pa.table(rows)
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_pylist()))
    else:
        table.to_pandas().to_csv(path, index=False)
    found = listed(path, url_column="Where", name_column="id", label_column="who")
    assert [(ref.name, ref.source, ref.label) for ref in found.refs] == [
        ("x", "https://h/a", "Ann"),
        ("y", "https://h/b", "José"),
    ]
    assert {ref.label for ref in listed(path, url_column="where").refs} == {""}
    for setting in ("url_column", "name_column", "label_column"):
        with pytest.raises(SettingsError, match=rf"no column 'no' \({setting}\).*: 'url', 'where', 'id', 'who'"):
            listed(path, **{setting: "no"})


def test_a_column_of_labels_is_found(csv_list, listed):
    path = csv_list(f"{ONE},ann", header="url,Person")
    assert [ref.label for ref in listed(path, labels="column").refs] == ["ann"]
    with pytest.raises(SettingsError, match="no column 'label', 'person', 'identity' or the like"):
        listed(csv_list(ONE), labels="column")


def test_columns_are_for_lists(listed, tmp_path):
    tmp_path.joinpath("photos").mkdir()
    for setting in ("url_column", "name_column"):
        with pytest.raises(SettingsError, match=f"{setting}='x' is for a list of photos"):
            listed(tmp_path / "photos", **{setting: "x"})
    with pytest.raises(SettingsError, match="leave one of the two out"):
        listed(tmp_path / "photos", labels="top_folder", label_column="x")


def test_a_name_that_two_photos_have_is_refused_and_a_repeated_row_is_not(csv_list, listed):
    rows = ["https://h/a,x", "https://h/a,x", "https://h/b,x", "https://h/c,", f"https://h/d,{'n' * 5000}"]
    found = listed(csv_list(*rows, header="url,id"), name_column="id")
    assert [ref.name[:10] for ref in found.refs] == ["x", "x", "https://h/c"[:10], "n" * 10]
    assert [bool(ref.refusal) for ref in found.refs] == [False, True, False, True]
    assert "another row has its name" in found.refs[1].refusal
    assert found.passed_over == {"rows that repeat a photo": 1}


def test_the_first_label_of_a_photo_counts_and_another_is_reported(csv_list, listed):
    rows = [f"{ONE},ann", f"{ONE},ann", f"{ONE},bob"]
    found = listed(csv_list(*rows, header="url,label"), label_column="label")
    assert [ref.label for ref in found.refs] == ["ann"]
    assert found.source.warnings == ("1 rows repeat a photo with another label: the first row's label counts",)


def test_a_local_list_names_photos_below_its_folder_and_no_others(listed, photo, tmp_path):
    base = tmp_path / "set"
    (base / "ann").mkdir(parents=True)
    (base / "ann/1.png").write_bytes(photo(1))
    (base / "ann/2 é.png").write_bytes(photo(2))
    (tmp_path / "secret.png").write_bytes(photo(3))
    (base / "link.png").symlink_to("../secret.png")
    (base / "inner.png").symlink_to("ann/1.png")
    rows = ["ann/1.png", "./ann//1.png", str(base / "ann/1.png"), "ann/2 é.png", "inner.png", "link.png"]
    rows += ["../secret.png", "ann/../ann/1.png", str(tmp_path / "secret.png"), "ann", "gone.png", "a\0b"]
    (base / "list.txt").write_text("\n".join(rows))
    found = listed(base / "list.txt")
    assert found.read_all() == {"ann/1.png": photo(1), "ann/2 é.png": photo(2), "inner.png": photo(1)}
    assert {name: refusal.split(":")[0] for name, refusal in found.refusals.items()} == {
        "link.png": "a link that leads out of the dataset",
        **dict.fromkeys(
            ("../secret.png", "ann/../ann/1.png", str(tmp_path / "secret.png")),
            "its path leads out of the list's folder",
        ),
        "ann": "not a file but a folder",
        "gone.png": "no such file in the list's folder; an address begins with https",
        "a\\0b": "its path contains a NUL character",
    }
    assert found.passed_over == {"rows that repeat a photo": 2}
    (base / "ann/1.png").write_bytes(photo(4) + b"more")
    with pytest.raises(PhotoUnreadable, match="changed since the plan"):
        found.read("ann/1.png")
    (base / "inner.png").unlink()
    (base / "inner.png").symlink_to("../secret.png")
    with pytest.raises(PhotoUnreadable, match="leads out of the dataset"):
        found.read("inner.png")


def test_a_list_from_the_web_names_no_local_files(server, listed, photo, tmp_path):
    (tmp_path / "a.png").write_bytes(photo())
    server.files["/list.txt"] = f"a.png\n{tmp_path}/a.png\nfile://{tmp_path}/a.png\n".encode()
    found = listed(f"{server.url}/list.txt")
    assert set(found.refusals.values()) == {"its url is neither http(s) nor in a bucket"}
    assert (len(found.refusals), found.source.root) == (3, "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"url": "https://h/a"}\n[]\n', "line 2 is no object"),
        (b'{"url": "https://h/a"}\n{"url"\n', "line 2: "),
        (b'{"url": ' + b"[" * 100_000 + b"\n", "line 1: "),
        (b'{"url": "https://h/a", "n": ' + b"1" * 10_000 + b"}\n", "line 1: "),
        (b'{"url": "' + b"x" * 2_000_000 + b'"}\n', "a row has more than 1,048,576 characters"),
    ],
)
def test_damaged_json_lines_are_named(data, message, listed, tmp_path):
    (tmp_path / "list.jsonl").write_bytes(data)
    with pytest.raises(DamagedArchive, match=rf"list\.jsonl' is not readable as JSON Lines: {message}"):
        listed(tmp_path / "list.jsonl")


def test_a_label_that_is_a_text_is_refused(csv_list, listed):
    path = csv_list(f"{ONE},{'long ' * 300}", header="url,label")
    assert len(listed(path).refs) == 1
    with pytest.raises(DamagedArchive, match="a label has more than 1,000 characters: 'long long "):
        listed(path, label_column="label")


@pytest.mark.parametrize(
    "form", ["jsonl", "parquet", *(pytest.param(form, marks=pytest.mark.long) for form in ("csv", "txt"))]
)
def test_a_compressed_bomb_is_refused(form, listed, tmp_path, monkeypatch):
    """Also one that no row shows, such as of blank lines."""
    monkeypatch.setattr("meanface.dataset.table.lines.BOMB_BYTES", 100_000)
    for text in (b"\n" * 10_000_000, b'url\n{"url": 1}\n' + b"x\n" * 5_000_000):
        path = tmp_path / f"list.{form}.zst"
        path.write_bytes(pa.compress(text, "zstd", asbytes=True))
        tracemalloc.start()
        try:
            with pytest.raises(DamagedArchive, match=r"decompression bomb|line 1: "):
                listed(path)
            assert tracemalloc.get_traced_memory()[1] < 9_000_000
        finally:
            tracemalloc.stop()


def test_a_table_of_photos_that_expands_is_refused(listed, tmp_path, monkeypatch):
    monkeypatch.setattr("meanface.dataset.table.lines.BOMB_BYTES", 1_000_000)
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"image": [b"x" * 100_000] * 100}), path, compression="zstd")
    with pytest.raises(DamagedArchive, match=r"train\.parquet' is not readable as Parquet: .* decompression bomb"):
        listed(path)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: other systems have no such memory limit")
def test_a_table_of_photos_is_read_within_its_memory(listed, tmp_path, monkeypatch):
    path = tmp_path / "train.parquet"
    photos = [{"bytes": number.to_bytes(4, "little") * 250_000, "path": None} for number in range(300)]
    pq.write_table(pa.table({"image": photos}), path, compression="none", row_group_size=10)
    monkeypatch.setattr("meanface.dataset.table.parquet.MOST_MEMORY_OF_PHOTOS", 1 << 27)
    assert [ref.size for ref in listed(path).refs] == [1_000_000] * 300
    pq.write_table(pa.table({"image": photos}), path, compression="none")
    with pytest.raises(
        DamagedArchive, match="takes more than 128 MiB of memory: write it with fewer rows in a row group"
    ):
        listed(path)


def test_a_list_that_is_cut_is_refused(listed, tmp_path):
    text = "".join(f"https://h/{number}.png\n" for number in range(5000)).encode()
    for suffix, packed in ((".gz", gzip.compress(text)), (".zst", pa.compress(text, "zstd", asbytes=True))):
        path = tmp_path / f"list.txt{suffix}"
        path.write_bytes(packed[:-20])
        with pytest.raises(DamagedArchive, match="is not readable as text"):
            listed(path)
    (tmp_path / "list.csv").write_bytes("url\nhttps://h/a\n".encode("utf-16")[:-1])
    with pytest.raises(DamagedArchive, match="it is not in UTF-16"):
        listed(tmp_path / "list.csv")


def test_a_list_without_a_header_is_refused_with_advice(listed, tmp_path):
    (tmp_path / "list.csv").write_text("http://h/a.png\nhttp://h/b.png\n")
    with pytest.raises(SettingsError, match="Put a line `url` before its first address, or name the file"):
        listed(tmp_path / "list.csv")
