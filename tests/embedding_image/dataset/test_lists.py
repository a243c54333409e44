"""Lists of photos."""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.dataset import PhotoUnreadable
from meanface.dataset.refs import UNKNOWN_SIZE
from meanface.errors import DamagedArchive, DatasetNotFound, SettingsError, StorageUnavailable


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


def test_a_label_that_is_a_text_is_refused(csv_list, listed):
    path = csv_list(f"{ONE},{'long ' * 300}", header="url,label")
    assert len(listed(path).refs) == 1
    with pytest.raises(DamagedArchive, match="a label has more than 1,000 characters: 'long long "):
        listed(path, label_column="label")


def test_a_full_disk_under_the_photos_of_a_table_is_not_an_error_of_the_table(listed, storage, tmp_path, monkeypatch):
    pq.write_table(pa.table({"image": [b"photo" * 100_000]}), tmp_path / "photos.parquet")

    @contextmanager
    def full(*_: object):
        with Path("/dev/full").open("wb", buffering=0) as output:
            yield output

    monkeypatch.setattr(storage, "_open_local", full)
    with pytest.raises(StorageUnavailable, match=r"cannot write .*/shards/00000\.tar: .*No space left on device"):
        listed(tmp_path / "photos.parquet")
    with pytest.raises(DatasetNotFound, match=r"the list '.*/gone.parquet' cannot be read|does not exist"):
        listed(tmp_path / "gone.parquet")
