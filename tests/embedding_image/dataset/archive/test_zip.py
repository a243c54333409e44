"""Zip archives."""

from __future__ import annotations

import stat
import unicodedata
import zipfile

import pytest

from meanface.errors import DamagedArchive


@pytest.fixture
def zipped(tmp_path):
    """Write a zip of (name or ZipInfo, data) members, in order; the path."""

    def make(*members, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / "photos.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members:
                archive.writestr(name, data)
        return path

    return make


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_photos_come_back_from_any_compression(compression, zipped, photo, listed):
    photos = {f"people/{number}/Zoë\n.png": photo(number) for number in range(20)}
    found = listed(zipped(*photos.items(), ("people/", b""), ("a.txt", b"text"), compression=compression))
    assert found.read_all() == photos
    assert (found.source.kind, found.passed_over, found.source.warnings) == (
        "archive",
        {"sidecar and text files": 1},
        (),
    )


def test_a_wrong_crc_is_refused_and_its_neighbours_are_not(zipped, photo, listed):
    path = zipped(("a.png", photo(1)), ("b.png", photo(2)), ("c.png", photo(3)), compression=zipfile.ZIP_STORED)
    data = path.read_bytes()
    path.write_bytes(data.replace(photo(2), photo(4), 1))
    found = listed(path)
    assert found.read_all() == {"a.png": photo(1), "c.png": photo(3)}
    assert found.refusals == {"b.png": "damaged in the archive: Bad CRC-32 for file 'b.png'"}


def test_damaged_compressed_data_is_refused(zipped, photo, listed):
    path = zipped(("a.png", photo(1)), ("b.png", bytes(1000)))
    data = bytearray(path.read_bytes())
    start = data.index(b"b.png") + len("b.png")
    data[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    found = listed(path)
    assert found.read_all() == {"a.png": photo(1)}
    assert found.refusals["b.png"].startswith("damaged in the archive: ")


def test_a_member_without_a_name_is_passed_over(zipped, photo, listed):
    path = zipped(("a.png", photo(1)), ("b.png", photo(2)), compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"b.png", b"\0.png"))
    found = listed(path)
    assert (found.names, found.passed_over) == (["a.png"], {"other files": 1})


def test_a_name_that_is_no_text_damages_its_member_alone(zipped, photo, listed):
    path = zipped(("ü.png", photo(1)), ("b.png", photo(2)), compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace("ü.png".encode(), b"\xc3\xff.png", 1))
    found = listed(path)
    assert found.read_all() == {"b.png": photo(2)}
    assert found.refusals["ü.png"].startswith("damaged in the archive: ")


def test_backslashes_of_windows_are_folders(zipped, photo, listed):
    """PowerShell 5 and old .NET write them, against the specification (section 4.4.17.1)."""

    def written(name, *, system=0):
        info = zipfile.ZipInfo("name")
        info.filename, info.create_system = name, system
        return info

    path = zipped(
        (written("ann\\"), b""),
        (written("ann\\a.png"), photo(1)),
        (written("zoë\\b.png"), photo(2)),
        (written("c\\d.png", system=3), photo(3)),
        (written("..\\up.png"), photo(4)),
    )
    found = listed(path)
    assert found.read_all() == {"ann/a.png": photo(1), "zoë/b.png": photo(2), "c\\d.png": photo(3)}
    assert found.refusals == {"../up.png": "its name leads out of the archive: '..'"}


def test_a_backslash_inside_a_letter_of_shift_jis_is_no_folder(zipped, photo, listed):
    info = zipfile.ZipInfo("a/XX.png")
    info.create_system = 0
    path = zipped((info, photo(1)), compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"XX", "ソ".encode("cp932")))
    (name,) = listed(path).names
    assert name.encode("cp437").decode("cp932") == "a/ソ.png"


def test_hostile_members_are_refused(zipped, photo, listed):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped((link, b"/etc/passwd"), ("../up.png", photo()), ("/absolute.png", photo()), ("good.png", photo()))
    found = listed(path)
    assert found.read_all() == {"good.png": photo()}
    assert found.refusals == {
        "link.png": "a link, not a file",
        "../up.png": "its name leads out of the archive: '..'",
        "/absolute.png": "its name leads out of the archive: an absolute path",
    }


def test_overlapping_members_count_for_the_bomb_limit(zipped, listed, monkeypatch):
    """Every entry of the directory leads to the same compressed bytes."""
    monkeypatch.setattr("meanface.dataset.archive.archive.BOMB_BYTES", 1_000_000)
    path = zipped(*((f"{number:03}.png", bytes(900_000) if number == 0 else b"") for number in range(200)))
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    sizes = data[first + 16 : first + 28]  # checksum, compressed, whole
    at = first
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 16 : at + 28], data[at + 42 : at + 46] = sizes, bytes(4)
        at += 4
    path.write_bytes(data)
    assert len(data) < 50_000
    try:
        found = listed(path)
    except DamagedArchive as refused:
        assert "decompression bomb" in str(refused)  # noqa: PT017 - either is right: the library may refuse the overlap
    else:
        assert set(found.refusals) >= {f"{number:03}.png" for number in range(1, 200)}


@pytest.mark.parametrize("name", ["notes.txt", "large.png", "folder/"])
def test_files_that_are_passed_over_count_for_the_bomb_limit(name, zipped, listed, monkeypatch):
    monkeypatch.setattr("meanface.dataset.archive.archive.BOMB_BYTES", 1_000_000)
    path = zipped(*((f"{number}{name}", bytes(500_000)) for number in range(40)))
    with pytest.raises(DamagedArchive, match="decompression bomb"):
        listed(path, max_bytes=100_000)


def test_a_self_extracting_zip_is_read(zipped, photo, listed):
    for stub in (b"MZ" + bytes(3000), b"#!/bin/sh\nexit\n", b"\x7fELF" + bytes(9)):
        path = zipped(("a.png", photo(1)))
        path.write_bytes(stub + path.read_bytes())
        assert listed(path).read_all() == {"a.png": photo(1)}


def test_a_tar_archive_that_ends_with_a_zip_is_not_a_zip(zipped, tarred, photo, listed, tmp_path):
    inner = zipped(("a.png", photo(1)), compression=zipfile.ZIP_STORED).read_bytes()
    for data in (tarred(("b.png", photo(2)), ("inner.zip", inner)), tarred(("b.png", photo(2)), ("inner", inner))):
        (tmp_path / "outer").write_bytes(data)
        found = listed(tmp_path / "outer")
        assert (found.read_all(), found.passed_over) == ({"b.png": photo(2)}, {"archives inside the dataset": 1})


def test_parts_of_a_zip_are_refused_with_advice(zipped, photo, listed):
    path = zipped(("a.png", photo(1)), ("b.png", photo(2)))
    whole = path.read_bytes()
    last = bytearray(whole[100:])
    last[-18:-14] = b"\1\0\0\0"  # disk 1, and the directory begins on disk 0
    for part, message in (
        (bytes(last), "one part of a spanned archive: join the parts with `zip -s 0"),
        (b"PK\7\x08" + whole[:100], "one part of a spanned archive"),
        (whole[:100], r"download it again, or join its parts with `cat"),
    ):
        path.write_bytes(part)
        with pytest.raises(DamagedArchive, match=message):
            listed(path)


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (98, "PPMd"), (1, "method 1")])
def test_an_unsupported_method_is_named(method, name, zipped, photo, listed):
    path = zipped(("a.png", photo()))
    data = bytearray(path.read_bytes())
    data[8], data[data.index(b"PK\1\2") + 10] = method, method
    path.write_bytes(data)
    assert listed(path).refusals == {"a.png": f"compressed by {name}, which is not read: pack it again with Deflate"}


def test_names_of_macos_in_utf8_are_read_as_such(zipped, photo, listed):
    """Without the flag for UTF-8, and decomposed; a name in another code page stays unchanged."""
    decomposed = unicodedata.normalize("NFD", "José.png")
    path = zipped(("X" * len(decomposed.encode()), photo(1)), ("YY.png", photo(2)), compression=zipfile.ZIP_STORED)
    data = path.read_bytes().replace(b"X" * len(decomposed.encode()), decomposed.encode())
    path.write_bytes(data.replace(b"YY.png", b"\x82\xff.png"))
    assert listed(path).read_all() == {decomposed: photo(1), "é\xa0.png": photo(2)}


def test_an_encrypted_member_is_refused(zipped, photo, listed):
    path = zipped(("a.png", photo()))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # flags of the local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # flags in the directory
    path.write_bytes(data)
    assert listed(path).refusals == {"a.png": "encrypted in the archive"}


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_of_duplicates_the_last_counts(zipped, photo, listed):
    found = listed(zipped(("a.png", photo(1)), ("a.png", photo(2))))
    assert found.read_all() == {"a.png": photo(2)}
    assert [ref.refusal for ref in found.refs] == ["replaced by a later member of the same name", ""]


def test_a_bomb_that_declares_its_size_is_not_decompressed(zipped, listed):
    found = listed(zipped(("bomb.png", bytes(50_000_000))), max_bytes=1_000_000)
    (ref,) = found.refs
    assert (ref.size, ref.offset, ref.refusal) == (50_000_000, -1, "")
    assert found.storage.list("shards") == []


def test_a_bomb_that_declares_less_is_cut_and_refused(zipped, listed):
    path = zipped(("bomb.png", bytes(50_000_000)))
    path.write_bytes(path.read_bytes().replace((50_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    found = listed(path, max_bytes=1_000_000)
    assert found.refusals == {"bomb.png": "damaged in the archive: Bad CRC-32 for file 'bomb.png'"}


def test_a_member_that_declares_more_than_it_has_is_refused(zipped, listed):
    path = zipped(("a.png", bytes(1000)))
    path.write_bytes(path.read_bytes().replace((1000).to_bytes(4, "little"), (2000).to_bytes(4, "little")))
    assert listed(path).refusals == {"a.png": "2000 bytes declared, 1000 in the archive"}


def test_a_zip_without_its_directory_is_refused(zipped, photo, listed):
    path = zipped(("a.png", photo()), ("b.png", photo()))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedArchive, match=r"directory of the zip archive '.*photos\.zip' cannot be read"):
        listed(path)


def test_an_empty_zip_lists_nothing(zipped, listed):
    assert listed(zipped()).refs == []
