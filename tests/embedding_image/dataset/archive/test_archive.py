"""Archives: every member has one reference, whatever is wrong with it or with the archive."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import zlib
from pathlib import Path

import pytest

from meanface.dataset import PhotoUnreadable
from meanface.dataset.archive.archive import ArchiveDataset
from meanface.dataset.archive.shards import ShardFolder, ShardWriter
from meanface.errors import ChecksumMismatch, DamagedArchive, DatasetNotFound, StorageUnavailable
from meanface.storage.files import Storage


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_photos_come_back_from_any_compression(compression, archive, tarred, photo, listed):
    photos = {f"./people/{number}/Zoë\n{'long' * 40}.png": photo(number) for number in range(20)}
    path = archive(tarred(*photos.items(), ("LICENSE", b"text"), mode=f"w:{compression}"), "photos.tar")
    found = listed(path)
    assert found.read_all() == {name.removeprefix("./"): data for name, data in photos.items()}
    assert (found.source.kind, found.passed_over, found.source.warnings) == (
        "archive",
        {"sidecar and text files": 1},
        (),
    )
    assert found.source.checksum == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_hostile_members_are_refused_by_name_and_nothing_is_unpacked(archive, tarred, photo, listed, tmp_path):
    members = [
        ("good.png", photo()),
        ("../up.png", photo()),
        ("a/../../up.png", photo()),
        ("/etc/absolute.png", photo()),
        special("hard.png", tarfile.LNKTYPE, "good.png"),
        special("soft.png", tarfile.SYMTYPE, "/etc/passwd"),
        special("device.png", tarfile.CHRTYPE),
        special("pipe.png", tarfile.FIFOTYPE),
        special("sparse.png", tarfile.GNUTYPE_SPARSE),
        special("odd.png", b"Y"),
        special("soft.txt", tarfile.SYMTYPE, "/etc/passwd"),
        special("folder.png", tarfile.DIRTYPE),
        ("Zo\udceb.png", photo()),
    ]
    found = listed(archive(tarred(*members)))
    assert found.read_all() == {"good.png": photo()}
    assert found.refusals == {
        "../up.png": "its name leads out of the archive: '..'",
        "a/../../up.png": "its name leads out of the archive: '..'",
        "/etc/absolute.png": "its name leads out of the archive: an absolute path",
        "hard.png": "a hard link (to 'good.png'), not a file: pack with `tar --hard-dereference`",
        "soft.png": "a link (to '/etc/passwd'), not a file: pack with `tar --dereference`",
        "device.png": "a device, not a file",
        "pipe.png": "a named pipe, not a file",
        "sparse.png": "a sparse file, which photos are not",
        "odd.png": "neither file nor folder (type b'Y')",
        "Zo\\xeb.png": "its name is not valid UTF-8",
    }
    assert found.passed_over == {"sidecar and text files": 1}
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["00000.tar", "photos.tar"]


def test_names_for_other_systems_and_readers_are_refused(archive, tarred, photo, listed):
    names = {
        "a\\..\\..\\up.png": "its name leads out of the archive: '..'",
        "C:\\up.png": "its name leads out of the archive: an absolute path",
        "c:/up.png": "its name leads out of the archive: an absolute path",
        "\\\\host\\share\\up.png": "its name leads out of the archive: an absolute path",
        "./../up.png": "its name leads out of the archive: '..'",
        ".//etc/../../up.png": "its name leads out of the archive: '..'",
    }
    found = listed(archive(tarred(*((name, photo()) for name in names))))
    assert {ref.name: ref.refusal for ref in found.refs} == {
        "../up.png" if name == "./../up.png" else "etc/../../up.png" if "//" in name else name: refusal
        for name, refusal in names.items()
    }


@pytest.mark.parametrize(
    "name", ["x\u2215..\u2215up.png", "\uff0e\uff0e/up.png", "\u202egnp.exe.png", "a:b.png", "png../a..png", "a\\b.png"]
)
def test_names_that_only_look_hostile_are_accepted(name, archive, tarred, photo, listed):
    assert listed(archive(tarred((name, photo())))).read_all() == {name: photo()}


def test_a_name_with_a_nul_is_refused(archive, photo, listed):
    info = tarfile.TarInfo("a.png")
    info.size, info.pax_headers = len(photo()), {"path": "a.png\0/../b.png"}
    data = info.tobuf(tarfile.PAX_FORMAT) + photo() + bytes(-len(photo()) % 512) + bytes(1024)
    assert listed(archive(data)).refusals == {"a.png\\0/../b.png": "its name contains a NUL character"}


def test_names_of_a_megabyte_are_shortened(archive, tarred, photo, listed):
    names = [f"{number}/{'x' * 500_000}.png" for number in range(3)]
    found = listed(archive(tarred(("a.png", photo()), *((name, photo()) for name in names), mode="w:gz")))
    assert found.read_all() == {"a.png": photo()}
    assert sorted(found.refusals.values()) == ["its name has 500,006 characters"] * 3
    assert len(found.names) == 4
    assert max(map(len, found.names)) < 200


@pytest.mark.parametrize("mode", ["w:bz2", *(pytest.param(mode, marks=pytest.mark.long) for mode in ("w:gz", "w:xz"))])
def test_a_decompression_bomb_is_refused(mode, archive, tarred, photo, listed, monkeypatch):
    """Each member keeps to `max_bytes`, and all of them together fill the storage."""
    monkeypatch.setattr("meanface.dataset.archive.archive.BOMB_BYTES", 1_000_000)
    bomb = tarred(*((f"{number}.png", bytes(100_000)) for number in range(300)), mode=mode)
    with pytest.raises(DamagedArchive, match="decompression bomb"):
        listed(archive(bomb), max_bytes=1_000_000)
    nothing = tarred(*(("0.png", b"") for number in range(20_000)), mode=mode)
    with pytest.raises(DamagedArchive, match="decompression bomb"):
        listed(archive(nothing))
    whole = tarred(*((f"{number}.png", photo(number)) for number in range(300)), mode=mode)
    assert len(listed(archive(whole)).refs) == 300


@pytest.mark.parametrize("name", ["notes.txt", "large.png", "folder/", "link.png", "odd.png"])
@pytest.mark.parametrize("mode", ["w:gz", "w:xz"])
def test_files_that_are_passed_over_count_for_the_bomb_limit(mode, name, archive, photo, listed, monkeypatch):
    """To get past it, all of it has to be decompressed."""
    monkeypatch.setattr("meanface.dataset.archive.archive.BOMB_BYTES", 1_000_000)
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode=mode) as tar:
        for number in range(40):
            info = tarfile.TarInfo(f"{number}{name}")
            kinds = {"folder/": tarfile.DIRTYPE, "link.png": tarfile.SYMTYPE, "odd.png": b"Y"}
            info.type = kinds.get(name, tarfile.REGTYPE)
            if info.type in (tarfile.DIRTYPE, tarfile.SYMTYPE):
                info.pax_headers = {"comment": 500_000 * "x"}
            else:
                info.size = 500_000
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(DamagedArchive, match="decompression bomb"):
        listed(archive(output.getvalue()), max_bytes=100_000)


def test_of_duplicates_the_last_counts(archive, tarred, photo, listed):
    found = listed(archive(tarred(("a.png", photo(1)), ("b.png", photo(2)), ("./a.png", photo(3)))))
    assert found.read_all() == {"a.png": photo(3), "b.png": photo(2)}
    assert [ref.refusal for ref in found.refs if ref.name == "a.png"] == [
        "replaced by a later member of the same name",
        "",
    ]


def test_members_without_a_suffix_are_recognised_by_content(archive, tarred, photo, listed):
    pages = (b"<html>", b"not known \0\xff", b"", b"II*\0" + bytes(20))
    members = [(f"{n}", data) for n, data in enumerate((photo(), photo(1, "JPEG"), *pages))]
    found = listed(archive(tarred(*members)))
    assert found.read_all() == {"0": photo(), "1": photo(1, "JPEG")}
    assert found.passed_over == {"sidecar and text files": 1, "other files": 2, "raw photos": 1}


def test_xz_files_of_several_streams_are_read_to_their_end(archive, tarred, photo, listed):
    """As `cat` makes them, and xz with zeros between them."""
    photos = {f"{number}.png": photo(number) for number in range(300)}
    data = tarred(*photos.items())
    streams = [lzma.compress(data[start : start + 50_000]) for start in range(0, len(data), 50_000)]
    for between, behind in ((b"", b"behind it"), (bytes(8), b"\xfd"), (bytes(70_000), bytes(4))):
        found = listed(archive(between.join(streams) + behind, "photos.txz"))
        assert (found.read_all(), len(found.source.warnings)) == (photos, any(behind))
    cut = listed(archive(b"".join(streams)[:-500], "photos.txz"))
    assert "ends early" in cut.source.warnings[0]


def test_an_xz_file_with_a_huge_dictionary_is_refused(archive, tarred, photo, listed):
    """Decompressing takes as much memory as the dictionary has, however small the archive."""

    def packed(dictionary: int) -> Path:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 16}]
        data = bytearray(lzma.compress(tarred(("a.png", photo())), lzma.FORMAT_XZ, filters=filters))
        header = data[12 : 12 + 4 * (data[12] + 1)]  # of the only block: size, flags, filter, its properties, checksum
        at = header.index(bytes([lzma.FILTER_LZMA2, 1])) + 2
        header[at] = dictionary
        header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
        data[12 : 12 + len(header)] = header
        return archive(bytes(data), "photos.tar.xz")

    assert listed(packed(28)).read_all() == {"a.png": photo()}  # 64 MiB, as `xz -9`
    for dictionary in (32, 40):  # 256 MiB; 4 GiB, the most that can be said
        with pytest.raises(DamagedArchive, match=r"nothing can be read .* takes more than 128 MiB"):
            listed(packed(dictionary))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is neither a tar nor a zip archive but an empty file: download or copy it again"),
        (
            b"<html>not found</html>" * 100,
            "but an HTML page: perhaps a login page or a page about the file: give the address",
        ),
        (b"\xff\xd8\xff\xe0" + bytes(100), "but a JPEG photo: give its name a photo's suffix"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "but a HEIC photo: "),
        (b"7z\xbc\xaf\x27\x1c" + bytes(1000), "but a 7z archive: pack it again as zip or tar"),
        (b"Rar!\x1a\7" + bytes(1000), "but a RAR archive: pack it again as zip or tar"),
        (b"version https://git-lfs.github.com/spec/v1\n", "but a Git LFS pointer: fetch the file with `git lfs pull`"),
        (b"https://x.example/a.jpg\n" * 40, "but a text: a list of photos ends in .csv, .tsv, .jsonl or .txt"),
        (b'{"error": "login"}', "but a JSON text, perhaps a server's error message: download"),
        (gzip.compress(b"\xff\xd8\xff\xe0" * 200, mtime=0), "but gzip data with a JPEG photo in it: decompress it"),
        (gzip.compress(b"no tar in it" * 100, mtime=0), "but gzip data with a text in it: decompress it with `gunzip`"),
        (b"\x1f\x8b\x08", "nothing can be read from the archive .* ends early"),
    ],
)
def test_a_file_that_is_no_archive_is_refused(data, message, archive, listed):
    with pytest.raises(DamagedArchive, match=message):
        listed(archive(data, "photos.tgz"))


def test_hostile_headers_neither_fill_memory_nor_loop(archive, tarred, photo, listed):
    start = tarred(("a.png", photo()))[:1024]
    huge = special("x", tarfile.XHDTYPE)
    huge.size = 1 << 40
    negative = bytearray(special("b.png", tarfile.REGTYPE).tobuf())
    negative[124:136] = b"\xff" * 12  # -1, in base 256
    negative[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(negative))[0]
    for header, message in ((huge.tobuf(tarfile.GNU_FORMAT), f"declares {1 << 40}"), (bytes(negative), "declares -1")):
        found = listed(archive(start + header + bytes(1024)))
        assert message in found.refusals["photos.tar"]
        assert found.read_all() == {"a.png": photo()}


def test_a_member_of_more_than_max_bytes_is_listed_but_not_stored(archive, tarred, photo, listed):
    bomb = tarred(("bomb.png", bytes(3_000_000)), ("a.png", photo()), mode="w:gz")
    found = listed(archive(bomb, "photos.tgz"), max_bytes=1_000_000)
    (ref,) = (ref for ref in found.refs if ref.name == "bomb.png")
    assert (ref.size, ref.source, ref.offset, ref.refusal) == (3_000_000, "", -1, "")
    assert found.read("a.png") == photo()
    assert len(found.storage.read("shards/00000.tar")) < 5000


def test_a_declared_size_beyond_int64_is_listed(archive, listed):
    info = special("a.png", tarfile.REGTYPE)
    info.size = 1 << 80
    found = listed(archive(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))
    assert [(ref.name, ref.size) for ref in found.refs] == [("a.png", 2**63 - 1), ("photos.tar", 0)]


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_a_checksum_is_kept_and_a_wrong_one_refused(algorithm, archive, tarred, photo, listed, storage):
    path = archive(tarred(("a.png", photo())))
    right = f"{algorithm}:{hashlib.new(algorithm, path.read_bytes()).hexdigest()}"
    assert listed(path, checksum=right).source.checksum == right
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ChecksumMismatch, match=f"{path}.*but {right} was expected"):
        listed(path, checksum=right)


def test_a_wrong_archive_leaves_no_shards(archive, tarred, photo, listed, storage):
    with pytest.raises(ChecksumMismatch):
        listed(archive(tarred(("a.png", photo()))), checksum=f"md5:{0:032x}")
    assert storage.list("shards") == []


def test_a_missing_archive_is_named(tmp_path, listed):
    with pytest.raises(DatasetNotFound, match=f"{tmp_path}/no.tgz' does not exist"):
        listed(tmp_path / "no.tgz")


def test_shards_are_plain_tars_cut_by_size_and_the_same_every_time(storage, photo, tmp_path):
    written = []
    for other in (storage, Storage(str(tmp_path / "other"))):
        with ShardWriter(ShardFolder(other), shard_bytes=5000) as shards:
            refs = [shards.add(f"{n}.png", len(photo(n)), io.BytesIO(photo(n))) for n in range(10)]
            big = shards.add("big.png", 9000, io.BytesIO(bytes(9000)))
        names = other.list("shards")
        written.append({name: other.read(f"shards/{name}") for name in names})
    assert written[0] == written[1]
    assert list(written[0]) == ["00000.tar", "00001.tar", "00002.tar", "00003.tar", "00004.tar"]
    assert all(len(data) <= 5000 for name, data in written[0].items() if f"shards/{name}" != big.source)
    for ref in refs:
        with tarfile.open(fileobj=io.BytesIO(written[0][ref.source.removeprefix("shards/")])) as shard:
            info = shard.getmember(ref.name)
            assert (info.offset_data, info.size, info.mtime, info.uid) == (ref.offset, ref.size, 0, 0)
            assert shard.extractfile(info).read() == photo(int(ref.name.removesuffix(".png")))


def test_photos_of_a_changed_or_missing_shard_are_unreadable(archive, tarred, photo, listed, storage):
    found = listed(archive(tarred(("a.png", photo(1)), ("b.png", photo(2)))))
    shard = Path(storage.url, "shards/00000.tar")
    whole = shard.read_bytes()
    smaller = whole[:1024] + tarred(("b.png", b"another photo"))
    for data, message in [
        (whole[: 1024 + 512 + 60], f"changed since the plan: {len(photo())} bytes then, 60 now"),
        (smaller, f"changed since the plan: {len(photo())} bytes then, 13 now"),
        (bytes(len(whole)), "its shard changed since the plan"),
        (b"", "its shard changed since the plan"),
    ]:
        shard.write_bytes(data)
        with pytest.raises(PhotoUnreadable, match=message):
            found.read("b.png")
    shard.unlink()
    with pytest.raises(PhotoUnreadable, match="gone since the plan"):
        found.read("b.png")


def test_storage_that_cannot_be_written_is_reported(archive, tarred, photo, tmp_path):
    (tmp_path / "full").write_bytes(b"a file where the folder should be")
    full = ShardFolder(Storage(str(tmp_path / "full")))
    dataset = ArchiveDataset(str(archive(tarred(("a.png", photo())))), checksum=None, max_bytes=1000, shards=full)
    with pytest.raises(StorageUnavailable, match="cannot write"):
        list(dataset.list())
