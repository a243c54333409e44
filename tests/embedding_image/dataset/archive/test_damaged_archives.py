"""Archives that are cut, damaged or followed by other data: what is missing is counted or reported."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import tarfile

import pytest

from meanface.errors import DamagedArchive


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_cut_anywhere_loses_nothing_silently(mode, archive, tarred, listed):
    """Cut at every 97th byte: complete members are read; missing ones are counted, refused or in a warning."""
    rng = random.Random(7)
    photos = {f"{number}.png": rng.randbytes(700) for number in range(5)}
    whole = tarred(*photos.items(), mode=mode)
    for length in range(1, len(whole) - 1, 97):
        path = archive(whole[:length])
        try:
            found = listed(path)
        except DamagedArchive as nothing:
            assert str(path) in str(nothing)  # noqa: PT017 - either is right, depending on the length
            continue
        good = found.read_all()
        assert good.items() <= photos.items()
        if len(good) < 5:
            assert found.source.warnings
            assert len(found.refusals) == 1 or "has no end marker" in found.source.warnings[0]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_photo_in_which_an_archive_ends_is_refused(mode, archive, tarred, listed):
    photos = {f"{number}.png": random.Random(number).randbytes(100_000) for number in range(4)}
    whole = tarred(*photos.items(), mode=mode)
    found = listed(archive(whole[:250_000], "photos.tgz"))
    assert found.read_all().keys() == {"0.png", "1.png"}
    assert found.refusals == {"2.png": "the archive ends early inside this photo"}
    assert found.source.warnings == ("the archive 'photos.tgz' ends early behind '1.png', its last good member",)


def test_an_archive_that_ends_early_in_something_else_is_counted_itself(archive, tarred, photo, listed):
    whole = tarred(("a.png", photo()), ("film.mp4", bytes(5000)), ("b.png", photo()))
    found = listed(archive(whole[:4000]))
    assert found.names == ["a.png", "photos.tar"]
    assert found.refusals == {"photos.tar": "the archive ends early behind 'film.mp4', its last good member"}


def test_a_header_damaged_in_the_middle_is_not_taken_for_the_end(archive, tarred, photo, listed):
    damaged = bytearray(tarred(*((f"{number}.png", photo(number)) for number in range(5))))
    damaged[2 * 1024 + 10] ^= 1  # in the third header: each photo takes 1,024 bytes
    found = listed(archive(bytes(damaged)))
    assert found.names == ["0.png", "1.png", "photos.tar"]
    assert "is damaged" in found.refusals["photos.tar"]
    assert "behind '1.png'" in found.source.warnings[0]


def test_damage_that_only_the_compressions_checksum_shows_is_counted(archive, tarred, photo, listed):
    damaged = bytearray(gzip.compress(tarred(("a.png", photo())), mtime=0))
    damaged[-6] ^= 1  # in the trailer's CRC
    found = listed(archive(bytes(damaged), "photos.tgz"))
    assert found.names == ["a.png", "photos.tgz"]
    assert "CRC check failed" in found.refusals["photos.tgz"]


@pytest.mark.parametrize("padding", [0, 512, 20 * 512, 100_000 // 512 * 512])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_concatenated_archives_are_read(mode, padding, archive, tarred, photo, listed):
    """As `cat` joins them and `tar --ignore-zeros` reads them; attributes of all members end with their archive."""
    first, second = tarred(("a.png", photo(1))), tarred(("b.png", photo(2)), ("notes.txt", b"text"))
    compress = {"w": bytes, "w:gz": gzip.compress, "w:bz2": bz2.compress, "w:xz": lzma.compress}[mode]
    common = tarfile.TarInfo.create_pax_global_header({"path": "common.png"})
    for parts in ((first, bytes(padding), second), (common + first, bytes(padding), second)):
        found = listed(archive(b"".join(map(compress, parts))))
        assert found.read_all() == {"common.png" if common in parts[0] else "a.png": photo(1), "b.png": photo(2)}
        assert (found.source.warnings, found.passed_over) == ((), {"sidecar and text files": 1})
    cut = listed(archive(b"".join(map(compress, (first, second[:520])))))
    assert (cut.read_all(), list(cut.refusals)) == ({"a.png": photo(1)}, ["b.png"])


@pytest.mark.parametrize("other", [b"signature", b"x" * 512, b"x" * 5000, b"ustar" * 200])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_other_data_after_an_archive_are_reported(other, compress, archive, tarred, photo, listed):
    """Inside the compression and behind it, with another archive behind that is not found any more."""
    first, second = tarred(("a.png", photo())), tarred(("b.png", photo(1)))
    files = [compress(first + other + second), compress(first + bytes(5120) + other), compress(first) + other]
    if compress is not bytes:
        files.append(compress(first) + other + compress(second))
    for data in files:
        found = listed(archive(data))
        assert (found.names, found.refusals) == (["a.png"], {})
        assert found.source.warnings == (
            "the archive 'photos.tar' is followed by data that are no archive, which were not read",
        )


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_header_of_zeros_is_damage(compress, archive, tarred, photo, listed):
    """As a hole in a broken copy leaves it: the end of an archive has two such blocks, and nothing behind them."""
    damaged = bytearray(tarred(*((f"{number}.png", photo(number)) for number in range(4))))
    damaged[2 * 1024 : 2 * 1024 + 512] = bytes(512)
    found = listed(archive(compress(bytes(damaged))))
    assert found.names == ["0.png", "1.png", "photos.tar"]
    assert "zeros in the place of a header" in found.refusals["photos.tar"]


def test_a_pax_record_of_an_absurd_length_is_damage(tmp_path, tarred, photo, listed):
    record = tarfile.TarInfo("record")
    record.type, record.size = tarfile.XHDTYPE, 512
    text = b"99999999999999999999 path=a.png\n".ljust(512, b"\0")
    path = tmp_path / "photos.tar"
    good = tarred(("a.png", photo()))[:1024]  # header and data
    path.write_bytes(good + record.tobuf() + text + bytes(1024))
    found = listed(path)
    assert found.read_all() == {"a.png": photo()}
    assert "is damaged" in found.source.warnings[0]
