"""Lists that are damaged, or no lists, or larger than they seem."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import tracemalloc
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError


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
