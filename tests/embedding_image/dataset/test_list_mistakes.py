"""Lists with the mistakes that people and programs make: no photo is lost and none gets a wrong label in silence."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.errors import DamagedArchive, SettingsError


@pytest.fixture
def beside(tmp_path: Path, photo: Callable[[], bytes]) -> Callable[..., Path]:
    """Writes a list beside photos of these names."""

    def write(name: str, text: str | bytes, *photos: str) -> Path:
        for each in photos:
            (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / each).write_bytes(photo())
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / name

    return write


def labels(found: Any) -> dict[str, str]:
    return {ref.name: ref.label for ref in found.refs}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", 'path,label\na.jpg,"Smith\nb.jpg,Bob\n', "unexpected end of data, perhaps after a quotation mark"),
        ("l.csv", 'path,label\na.jpg,"Smith\nb.jpg,"Bob"\n', "perhaps after a quotation mark that is not closed"),
        ("l.csv", 'path,label\na.jpg,"Smith\nb.jpg,Bob"\n', "row 2 has a value of several lines, perhaps after a quo"),
        ("l.tsv", 'path\tlabel\na.jpg\t"Weird Al\nb.jpg\tBob\n', "perhaps after a quotation mark that is not closed"),
        ("l.csv", "path,label\na.jpg,Smith, John\n", r"row 2 has 3 values, and the header 2: put a value in quotation"),
        ("l.csv", "path;label\na.jpg;José\n".encode("cp1252"), r"the label 'Jos\\xe9' is not UTF-8: save the list as"),
    ],
)
def test_a_list_that_can_be_read_in_two_ways_is_refused(
    name: str, text: str | bytes, message: str, beside: Callable[..., Path], listed: Callable[..., Any]
) -> None:
    with pytest.raises(DamagedArchive, match=message.replace("\\\\", "\\\\\\\\")):
        listed(beside(name, text, "a.jpg", "b.jpg"), labels="column")


def test_blank_values_behind_the_last_column_are_no_mistake(beside: Any, listed: Any) -> None:
    """As spreadsheets write them."""
    found = listed(beside("l.csv", "path,label\na.jpg,Ann,,\nb.jpg,Bob, \n", "a.jpg", "b.jpg"), labels="column")
    assert labels(found) == {"a.jpg": "Ann", "b.jpg": "Bob"}


def test_a_caption_may_have_several_lines(beside: Any, listed: Any) -> None:
    found = listed(beside("l.csv", 'path,caption\na.jpg,"two\nlines"\nb.jpg,one\n', "a.jpg", "b.jpg"))
    assert found.names == ["a.jpg", "b.jpg"]


def test_a_comma_counts_before_the_blanks_in_a_header(beside: Any, listed: Any) -> None:
    path = beside("l.csv", "Image Path,Full Name\na.jpg,Ann Lee\n", "a.jpg")
    assert labels(listed(path, label_column="Full Name")) == {"a.jpg": "Ann Lee"}


def test_no_password_is_in_the_message_about_a_list_without_header(beside: Any, listed: Any) -> None:
    path = beside("l.csv", "https://ada:S3CRET@photos.example/1.jpg?sig=TOKEN,Ann\n")
    with pytest.raises(SettingsError, match=r"photos\.example/1\.jpg") as refused:
        listed(path)
    assert not [secret for secret in ("S3CRET", "TOKEN") if secret in str(refused.value)]


def test_no_password_is_in_the_warning_about_metadata(beside: Any, listed: Any, tmp_path: Path) -> None:
    beside("metadata.csv", "url,label\nhttps://ada:S3CRET@photos.example/1.jpg?sig=TOKEN,Ann\n", "a.jpg")
    found = listed(tmp_path, labels="column")
    assert "photos.example/1.jpg" in found.source.warnings[0]
    assert not [secret for secret in ("S3CRET", "TOKEN") if secret in found.source.warnings[0]]


def test_metadata_name_files_first_and_where_they_came_from_second(beside: Any, listed: Any, tmp_path: Path) -> None:
    beside("metadata.csv", "url,file_name,label\nhttps://photos.example/1.jpg,a.jpg,Ann\n", "a.jpg")
    found = listed(tmp_path, labels="column")
    assert (labels(found), found.source.warnings) == ({"a.jpg": "Ann"}, ())


@pytest.mark.parametrize("order", [("csv", "jsonl"), ("jsonl", "csv")])
def test_tables_that_disagree_are_warned_about_whatever_the_order_of_the_folder(
    order: tuple[str, str], beside: Any, listed: Any, tmp_path: Path
) -> None:
    texts = {"csv": "path,label\na.jpg,Ann\na.jpg,Bob\n", "jsonl": '{"path": "a.jpg", "label": "Cy"}\n'}
    for form in order:
        beside(f"metadata.{form}", texts[form], "a.jpg")
    found = listed(tmp_path, labels="column")
    assert labels(found) == {"a.jpg": "Ann"}
    assert found.source.warnings == ("2 rows of the metadata give a photo another label: the first row's label counts",)


@pytest.mark.parametrize("table", ["list.csv", "metadata.csv"])
@pytest.mark.parametrize(
    ("stored", "written"),
    [
        (unicodedata.normalize("NFD", "p/José.jpg"), "p/José.jpg"),
        ("p/José.jpg", unicodedata.normalize("NFD", "p/José.jpg")),
        ("p/a.jpg", "p\\a.jpg"),
    ],
)
def test_a_photo_is_found_under_the_name_that_another_system_writes(
    table: str, stored: str, written: str, beside: Any, listed: Any, tmp_path: Path
) -> None:
    path = beside(table, f"path,label\n{written},Ann\n", stored)
    assert labels(listed(path if table == "list.csv" else tmp_path, labels="column")) == {stored: "Ann"}


def test_a_path_of_a_drive_and_one_that_leads_out_are_refused(beside: Any, listed: Any) -> None:
    found = listed(beside("l.csv", "path\nC:\\photos\\a.jpg\n..\\..\\etc\\passwd\n", "a.jpg"))
    assert "a path of a Windows drive" in found.refusals["C:\\photos\\a.jpg"]
    assert "leads out of the list's folder" in found.refusals["..\\..\\etc\\passwd"]


def test_a_pattern_fits_both_forms_of_a_letter(beside: Any, listed: Any, tmp_path: Path) -> None:
    from meanface.ledger.label_pattern import with_pattern

    beside("note.md", "", unicodedata.normalize("NFD", "José/1.jpg"), "José/2.jpg")
    refs = with_pattern(listed(tmp_path).refs, unicodedata.normalize("NFD", "^(?P<label>José)/"))
    assert [ref.label for ref in refs] == ["José", "José"]


def test_failed_photos_of_one_name_are_both_in_the_account(beside: Any, listed: Any) -> None:
    path = beside("l.csv", "path,id\ngone1.jpg,x\ngone2.jpg,x\n")
    found = listed(path, name_column="id")
    assert (len(found.refs), found.source.passed_over) == (2, ())


def test_a_long_path_is_shortened(beside: Any, listed: Any) -> None:
    (ref,) = listed(beside("l.csv", f"path\n{'x' * 9000}\n")).refs
    assert (len(ref.name) < 200, ref.refusal) == (True, "its path has 9,000 characters")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_two_columns_of_one_name_are_refused(form: str, tmp_path: Path, listed: Any) -> None:
    path = tmp_path / f"l.{form}"
    if form == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("path", "label", "label"), ("a.jpg", "x", "y")])
    else:
        columns = [pa.array([value]) for value in ("a.jpg", "x", "y")]
        pq.write_table(pa.Table.from_arrays(columns, ["path", "label", "label"]), path)
    with pytest.raises(SettingsError, match="has 2 columns 'label': rename all but one"):
        listed(path, labels="column")


def test_a_photos_path_in_a_table_may_be_bytes(tmp_path: Path, listed: Any, photo: Callable[[], bytes]) -> None:
    images = pa.array([{"bytes": photo(), "path": b"a.jpg"}], pa.struct({"bytes": pa.binary(), "path": pa.binary()}))
    pq.write_table(pa.table({"image": images}), tmp_path / "l.parquet")
    assert listed(tmp_path / "l.parquet").names == ["l.parquet/00000000-a.jpg"]
