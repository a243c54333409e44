"""Labels in files beside photos: in shards and archives, and in tables of metadata in folders."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.errors import DamagedArchive, SettingsError


@pytest.fixture
def web_dataset(tarred, photo):
    """Members as WebDataset names them: the files of one photo have one name up to the first dot."""

    def make(*extra: tuple[str, bytes]) -> bytes:
        members = [("a/000.png", photo(1)), ("a/000.cls", b"7\n"), ("a/000.txt", b" caption one ")]
        members += [("a/000.json", json.dumps({"person": "ann", "Team": 3}).encode())]
        members += [("a/001.json", json.dumps({"person": "Jose\u0301"}).encode()), ("a/001.png", photo(2))]
        members += [("a/002.png", photo(3)), ("b/000.png", photo(4)), *extra]
        return tarred(*members)

    return make


@pytest.mark.parametrize(
    "settings_and_labels",
    [
        ({"label_column": "person"}, ["ann", "José", "", ""]),
        ({"label_column": "team"}, ["3", "", "", ""]),
        ({"label_column": "cls"}, ["7", "", "", ""]),
        ({"label_column": "txt"}, ["caption one", "", "", ""]),
        ({"labels": "column"}, ["7", "José", "", ""]),
        ({}, ["", "", "", ""]),
    ],
)
@pytest.mark.parametrize("form", ["shards", "archive"])
def test_files_beside_a_photo_have_its_label(form, settings_and_labels, web_dataset, listed, photo, tmp_path):
    settings, labels = settings_and_labels
    (tmp_path / "s-0.tar").write_bytes(web_dataset())
    found = listed(tmp_path / ("s-*.tar" if form == "shards" else "s-0.tar"), **settings)
    assert [ref.label for ref in sorted(found.refs)] == labels
    assert sorted(found.read_all().values()) == sorted(photo(number) for number in (1, 2, 3, 4))
    assert found.passed_over == {"sidecar and text files": 4}


def test_shards_do_not_share_their_labels(tarred, photo, listed, tmp_path):
    for number in range(3):
        members = [("0.png", photo(number)), ("0.cls", b"%d" % number)]
        (tmp_path / f"s-{number}.tar").write_bytes(tarred(*members[:: (-1) ** number]))
    assert [ref.label for ref in sorted(listed(tmp_path / "s-*.tar", label_column="cls").refs)] == ["0", "1", "2"]


def test_damaged_and_large_files_beside_a_photo_are_no_labels(web_dataset, listed, tmp_path):
    damaged = [("a/002.json", b"{"), ("b/000.json", b"[" * 100_000), ("a/001.cls", b"x" * (1 << 21))]
    (tmp_path / "s-0.tar").write_bytes(web_dataset(*damaged))
    found = listed(tmp_path / "s-0.tar", labels="column")
    assert [ref.label for ref in sorted(found.refs)] == ["7", "José", "", ""]
    (tmp_path / "s-0.tar").write_bytes(web_dataset(("a/002.txt", b"long " * 300)))
    with pytest.raises(DamagedArchive, match=r"a/002\.txt': a label has more than 1,000 characters"):
        listed(tmp_path / "s-0.tar", label_column="txt")


@pytest.fixture
def people(photo, tmp_path):
    folder = tmp_path / "people"
    for number, name in enumerate(("train/a.png", "train/deep/b.png", "test/c.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo(number))
    return folder


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_tables_of_metadata_have_the_labels_of_a_folder(form, people, listed):
    rows = {"file_name": ["a.png", "./deep/b.png", "gone.png"], "person": ["ann", "bob", "eve"]}
    path = people / f"train/metadata.{form}"
    if form == "parquet":
        pq.write_table(pa.table(rows), path)
    elif form == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in pa.table(rows).to_pylist()))
    else:
        pa.table(rows).to_pandas().to_csv(path, index=False)
    found = listed(people, label_column="person")
    assert {ref.name: ref.label for ref in found.refs} == {
        "train/a.png": "ann",
        "train/deep/b.png": "bob",
        "test/c.png": "",
    }
    (warning,) = found.source.warnings
    assert warning == "1 rows of the metadata name no photo of the folder, such as 'train/gone.png'"
    assert {ref.label for ref in listed(people).refs} == {""}
    with pytest.raises(SettingsError, match=r"'train/metadata.* has no column 'who' \(label_column\).*'person'"):
        listed(people, label_column="who")


def test_metadata_never_name_files_outside(people, listed):
    """Their paths are compared with those of the folder's photos only."""
    (people / "metadata.csv").write_text("file_name,label\n../x.png,ann\n/etc/passwd,bob\ntest/c.png,eve\n")
    found = listed(people, labels="column")
    assert sorted((ref.name, ref.label) for ref in found.refs if ref.label) == [("test/c.png", "eve")]
    assert len(found.refs) == 3


def test_a_folder_without_metadata_has_no_columns(people, listed):
    with pytest.raises(SettingsError, match=r"has no metadata\.csv, metadata\.jsonl or metadata\.parquet"):
        listed(people, labels="column")
    (people / "metadata.jsonl").write_text("[]\n")
    with pytest.raises(DamagedArchive, match=r"the table 'metadata\.jsonl' cannot be read: line 1 is no object"):
        listed(people, labels="column")
