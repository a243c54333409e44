"""docs/compatibility.md, Archives: tar and zip files, and shards that are read in place."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile

from compatibility import Place, Recipes
from meanface.dataset.archive.members import FollowedByOther

recipe = Recipes("Archives")


def test_archives(what: str, place: Place) -> None:
    recipe.check(what, place)


def link(name: str, to: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@recipe("tar: plain, gzip, bzip2 or xz, whatever its name")
def compressions(place: Place) -> str:
    data = place.tar("plain", ("a.jpg", place.jpeg)).read_bytes()
    found = set()
    for number, packed in enumerate((data, gzip.compress(data), lzma.compress(data))):
        place.write(f"{number}.tar", packed)
        found.add(place.run(f"{number}.tar", f"results-{number}").happened("a.jpg"))
    return found.pop() if len(found) == 1 else str(found)


@recipe("tar files behind one another, also compressed ones")
def concatenated(place: Place) -> str:
    parts = [place.tar(name, (f"{name}.jpg", place.jpeg)).read_bytes() for name in "ab"]
    place.write("both.tar", b"".join(parts))
    assert place.run("both.tar").happened("a.jpg", "b.jpg") == "read"
    place.write("both.tgz", b"".join(map(gzip.compress, parts)))
    return place.run("both.tgz", "again").happened("a.jpg", "b.jpg")


@recipe("a tar with something else behind it, also inside or behind its compression")
def followed(place: Place) -> str:
    data = place.tar("a.tar", ("a.jpg", place.jpeg)).read_bytes()
    found = set()
    for number, packed in enumerate((data + b"more", gzip.compress(data + b"more"), gzip.compress(data) + b"more")):
        place.write(f"{number}.tar", packed)
        run = place.run(f"{number}.tar", f"results-{number}")
        assert run.source.warnings == (f"the archive '{number}.tar' {FollowedByOther()}",)
        found.add(run.happened("a.jpg"))
    return found.pop() if len(found) == 1 else str(found)


@recipe("a tar with zeros in the place of a header: the archive's own name")
def zeros(place: Place) -> str:
    data = place.tar("a.tar", ("a.jpg", place.jpeg), ("b.jpg", place.jpeg)).read_bytes()
    second = data.index(b"b.jpg")
    place.write("a.tar", data[:second] + bytes(512) + data[second + 512 :])
    run = place.run("a.tar")
    assert run.happened("a.jpg") == "read"
    return run.happened("a.tar")


@recipe("names of more than 100 letters, or of letters beyond ASCII")
def long_names(place: Place) -> str:
    name = f"{'L' * 120}/{'x' * 200}.jpg"
    for number, form in enumerate((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)):
        place.tar(f"shard-{number}.tar", (name, place.jpeg), ("Zoë/é.jpg", place.jpeg), form=form)
        assert place.run(f"shard-{number}.tar", f"results-{number}").happened(name, "Zoë/é.jpg") == "read"
    names = [f"shard-{number}.tar/{each}" for number in range(2) for each in (name, "Zoë/é.jpg")]
    return place.run("shard-{0..1}.tar").happened(*names)


@recipe("names with several dots: `train.v1/22.05.jpg`")
def dots(place: Place) -> str:
    place.tar("a.tar", ("train.v1/22.05.jpg", place.jpeg), ("train.v1/22.06.jpg", place.jpeg))
    found = place.run("a.tar", labels="parent_folder")
    assert {photo.label for photo in found.photos.values()} == {"train.v1"}
    return found.happened("train.v1/22.05.jpg", "train.v1/22.06.jpg")


@recipe("the same name in two shards")
def same_name(place: Place) -> str:
    for number in range(2):
        place.tar(f"shard-{number}.tar", ("1.jpg", place.jpeg))
    return place.run("shard-*.tar").happened("shard-0.tar/1.jpg", "shard-1.tar/1.jpg")


@recipe("the same name twice in one archive: the first one")
def twice(place: Place) -> str:
    place.zip("a.zip", ("a.jpg", place.png), ("a.jpg", place.jpeg))
    rows = {row.outcome: row for row in place.run("a.zip").rows}
    first = rows.pop("unreadable")
    assert first.detail == "replaced by a later member of the same name"
    assert list(rows) == ["ok"]
    return f"`{first.outcome}`"


@recipe("zip with `\\` between folders, as PowerShell 5 writes it")
def backslashes(place: Place) -> str:
    place.zip("a.zip", ("ann\\", b""), ("ann\\a.jpg", place.jpeg), ("bob\\b.jpg", place.jpeg), system=0)
    found = place.run("a.zip", labels="parent_folder")
    assert {name: photo.label for name, photo in found.photos.items()} == {"ann/a.jpg": "ann", "bob/b.jpg": "bob"}
    return found.happened()


@recipe("zip with names in another encoding than UTF-8 (Shift JIS, GBK)")
def shift_jis(place: Place) -> str:
    path = place.zip("a.zip", ("XX/YY.jpg", place.jpeg), system=0)
    path.write_bytes(path.read_bytes().replace(b"XX", "ソ".encode("cp932")).replace(b"YY", "表".encode("cp932")))
    (name,) = (found := place.run("a.zip")).photos
    assert name.encode("cp437").decode("cp932") == "ソ/表.jpg"
    return found.happened()


@recipe("zip with names that Windows reserves: `CON.jpg`, `a:b.jpg`")
def reserved(place: Place) -> str:
    place.zip("a.zip", ("CON.jpg", place.jpeg), ("a:b.jpg", place.jpeg), ("nul/c .jpg", place.jpeg))
    return place.run("a.zip").happened("CON.jpg", "a:b.jpg", "nul/c .jpg")


@recipe("zip with bytes before it or behind it")
def stub(place: Place) -> str:
    data = place.zip("a.zip", ("a.jpg", place.jpeg)).read_bytes()
    place.write("behind.zip", data + bytes(100))
    assert place.run("behind.zip").happened("a.jpg") == "read"
    place.write("before.zip", b"#!/bin/sh\nexec unzip $0\n" + data)
    return place.run("before.zip", "again").happened("a.jpg")


@recipe("zip by Deflate64, AES or another method than Deflate, bzip2 and LZMA")
def methods(place: Place) -> str:
    path = place.zip("a.zip", ("a.jpg", place.jpeg), ("b.jpg", place.jpeg))
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\1\2") + 10] = 9
    path.write_bytes(data)
    return place.run("a.zip").happened("b.jpg", detail="Deflate64, which is not read: pack it again")


@recipe("zip with names in UTF-8 that does not say so, as macOS writes it")
def undeclared(place: Place) -> str:
    path = place.zip("a.zip", ("XX/a.jpg", place.jpeg))
    path.write_bytes(path.read_bytes().replace(b"XX", "é".encode()))
    return place.run("a.zip").happened("é/a.jpg")


@recipe("an encrypted member of a zip")
def encrypted(place: Place) -> str:
    path = place.zip("a.zip", ("a.jpg", place.jpeg))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    return place.run("a.zip").happened("a.jpg", detail="encrypted in the archive")


@recipe("a damaged member of a zip")
def damaged(place: Place) -> str:
    path = place.zip("a.zip", ("a.jpg", place.jpeg), ("b.jpg", place.jpeg))
    path.write_bytes(path.read_bytes().replace(place.jpeg, place.jpeg[:-9] + bytes(9), 1))
    found = place.run("a.zip")
    assert found.happened("b.jpg") == "read"
    return found.happened("a.jpg", detail="damaged in the archive: Bad CRC-32")


@recipe("a hard link in a tar")
def hard_link(place: Place) -> str:
    place.tar("a.tar", ("a.jpg", place.jpeg), link("b.jpg", "a.jpg", tarfile.LNKTYPE))
    return place.run("a.tar").happened("b.jpg", detail="pack with `tar --hard-dereference`")


@recipe("a symbolic link in an archive")
def symbolic_link(place: Place) -> str:
    place.tar("a.tar", ("a.jpg", place.jpeg), link("b.jpg", "a.jpg", tarfile.SYMTYPE))
    return place.run("a.tar").happened("b.jpg", detail="pack with `tar --dereference`")


@recipe("absolute names, and names with `..`")
def outside(place: Place) -> str:
    place.tar("a.tar", ("a.jpg", place.jpeg), ("/b.jpg", place.jpeg), ("../c.jpg", place.jpeg))
    place.run("a.tar").happened("/b.jpg", "../c.jpg", detail="its name leads out of the archive")
    place.zip("a.zip", ("a.jpg", place.jpeg), ("C:\\b.jpg", place.jpeg), system=0)
    return place.run("a.zip", "again").happened("C:/b.jpg", detail="its name leads out of the archive")


@recipe("a name that is no UTF-8 in a tar")
def not_utf_8(place: Place) -> str:
    path = place.tar("a.tar", ("a.jpg", place.jpeg), ("XX.jpg", place.jpeg), form=tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    at = data.index(b"XX.jpg")
    data[at : at + 2] = b"\xeb\xeb"
    data[at + 148 : at + 156] = b" " * 8  # the checksum is counted as spaces
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    path.write_bytes(data)
    return place.run("a.tar").happened("\\xeb\\xeb.jpg", detail="its name is not valid UTF-8")


@recipe("a sparse member of a tar")
def sparse(place: Place) -> str:
    info = tarfile.TarInfo("b.jpg")
    info.type = tarfile.GNUTYPE_SPARSE
    place.tar("a.tar", ("a.jpg", place.jpeg), info, form=tarfile.GNU_FORMAT)
    return place.run("a.tar").happened("b.jpg", detail="a sparse file")


@recipe("an archive that is cut off: the photo that is cut, or the archive's own name")
def cut_off(place: Place) -> str:
    path = place.tar("a.tar", ("a.jpg", place.jpeg), ("b.jpg", place.jpeg))
    path.write_bytes(path.read_bytes()[: 1024 + len(place.jpeg) * 3 // 2])
    found = place.run("a.tar")
    assert "ends early behind 'a.jpg', its last good member" in found.source.warnings[0]
    return found.happened("b.jpg", detail="ends early")


@recipe("a shard that is missing or compressed")
def bad_shards(place: Place) -> str:
    place.tar("shard-0.tar", ("a.jpg", place.jpeg))
    place.write("shard-1.tar", gzip.compress(b"x" * 1000))
    found = place.run("shard-{0..2}.tar")
    assert found.happened("shard-0.tar/a.jpg") == "read"
    return found.happened("shard-1.tar", "shard-2.tar", detail="does not exist|no uncompressed tar")


@recipe("WebDataset: `.json`, `.cls` or `.txt` beside a photo, with `label_column`")
def web_dataset(place: Place) -> str:
    members = [("0.jpg", place.jpeg), ("0.json", b'{"person": "ann"}'), ("0.cls", b"7"), ("1.cls", b"8\n")]
    members += [("1.jpg", place.jpeg), ("1.txt", b"bob"), ("0.txt", b"anna")]
    labels = {"person": ["ann", ""], "cls": ["7", "8"], "txt": ["anna", "bob"]}
    place.tar("s-0.tar", *members)
    place.zip("s.zip", *members)
    outcomes = set()
    for dataset in ("s-*.tar", "s-0.tar", "s.zip"):
        for column, expected in labels.items():
            found = place.run(dataset, f"{column}-{dataset.replace('*', 'all')}", label_column=column)
            assert [photo.label for photo in found.rows] == expected
            outcomes.add(found.happened())
    (outcome,) = outcomes
    return outcome


@recipe("7z, RAR, Zstandard, an HTML page, an empty file, also named as a photo")
def no_archive(place: Place) -> str:
    files = {
        "a.7z": b"7z\xbc\xaf\x27\x1c" + bytes(100),
        "a.zip": b"Rar!\x1a\x07\x01\0" + bytes(100),
        "a.tar": b"\x28\xb5\x2f\xfd" + bytes(600),
        "page.zip": b"<html>" * 100,
        "page.jpg": b"<html>" * 100,
        "empty.zip": b"",
        "empty.jpg": b"",
    }
    found = {place.refusal(place.write(name, data).name, "neither a tar nor a zip") for name, data in files.items()}
    return found.pop() if len(found) == 1 else str(found)


@recipe("one part of a spanned zip")
def part(place: Place) -> str:
    data = bytearray(place.zip("a.zip", ("a.jpg", place.jpeg)).read_bytes())
    data[data.index(b"PK\5\6") + 4] = 1  # its number among the parts
    place.write("last.zip", bytes(data))
    place.write("first.z01", b"PK\x07\x08" + data[:1000])
    answers = {place.refusal(name, "join the") for name in ("last.zip", "first.z01")}
    return answers.pop() if len(answers) == 1 else str(answers)


@recipe("an archive without a photo")
def without_photo(place: Place) -> str:
    place.zip("a.zip", ("a.txt", b"text"))
    return place.refusal("a.zip", "no photo in it. Passed over: sidecar and text files: 1")


@recipe("an archive that unpacks to more than 200 times its bytes, and 1 GiB")
def bomb(place: Place) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", place.jpeg)
    data = bytearray(packed.getvalue())
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (4_000_000_000).to_bytes(4, "little")
    place.write("a.zip", bytes(data))
    return place.refusal("a.zip", "decompression bomb")
