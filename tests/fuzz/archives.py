"""Archives: their members alone, and complete datasets with shards that are read back."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from pathlib import Path
from random import Random

from fuzz.mutate import Mutator
from fuzz.target import Target, held, seeds
from meanface.dataset import open_dataset, open_photos
from meanface.dataset.archive.decompression import decompressed
from meanface.dataset.archive.members import Damage, Member, MemberDamage, checked_name
from meanface.dataset.archive.raw import RawFile
from meanface.dataset.archive.tar import BLOCK, NoArchive, TarMembers, TarStream
from meanface.dataset.archive.zip import ZipMembers, is_zip, open_zip
from meanface.dataset.photos import PhotoUnreadable
from meanface.dataset.refs import PhotoRef, Source
from meanface.errors import DamagedArchive
from meanface.ledger.photo_list import PhotoList
from meanface.settings import Settings
from meanface.storage.files import Storage
from photo_lists import photo_list

WORDS = (
    *(
        b"PK\x01\x02",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"PK\x06\x06",
        b"PK\x06\x07",
        b"\x01\0\x18\0",
        b"ustar\0",
        b"ustar  ",
    ),
    *(b"00000000000\0", b"77777777777\0", b"\x80" + bytes(10) + b"\xff", b"\xff" * 12, b"././@LongLink", b"../", b"/"),
    *(b"30 mtime=1.5\n", b"12 size=999\n", b"20 path=../../a.jpg\n", b"22 GNU.sparse.major=1\n", b"\xff.jpg", b".jpg"),
)


def with_sidecars() -> bytes:
    """A shard as WebDataset makes them."""
    output = io.BytesIO()
    members = {"a/0.jpg": b"photo", "a/0.json": b'{"label": "ann", "more": [1.5, {}]}', "1.cls": b"7\n", "1.jpg": b"p"}
    with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as shard:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            shard.addfile(info, io.BytesIO(data))
    return output.getvalue()[: 10 * BLOCK]


PLAIN = Mutator([gzip.decompress(data) for data in seeds("tar")], WORDS)
PACKED = Mutator(seeds("packed"), WORDS)
SIDECARS = Mutator(
    [with_sidecars()], (*WORDS, b"{", b"[", b'"label": ', b"null", b"\\ud800", b"1e999", b".json", b".cls")
)
MAX_BYTES = 100_000
PACKERS = (gzip.compress, bz2.compress, lzma.compress)


def archive(random: Random) -> bytes:
    """A tar archive whose headers' checksums are mostly right, perhaps compressed; or another, changed anywhere."""
    if random.random() < 0.4:
        return PACKED(random)
    data = PLAIN(random)
    if random.random() < 0.8:
        data = _with_checksums(data)
    return random.choice(PACKERS)(data) if random.random() < 0.1 else data


def tar(random: Random) -> bytes:
    """A plain tar archive."""
    data = PLAIN(random)
    return _with_checksums(data) if random.random() < 0.8 else data


def sidecars(random: Random) -> bytes:
    """A plain tar archive with labels beside its photos."""
    data = SIDECARS(random)
    return _with_checksums(data) if random.random() < 0.9 else data


def _with_checksums(data: bytes) -> bytes:
    fixed = bytearray(data)
    for at in range(0, len(fixed) - BLOCK + 1, BLOCK):
        if fixed[at + 257 : at + 262] == b"ustar":
            total = sum(fixed[at : at + 148]) + 8 * 32 + sum(fixed[at + 156 : at + BLOCK])
            fixed[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(fixed)


def walked(data: bytes) -> bool:
    """All members and their bytes, or the damage that ends the walk."""
    file = RawFile(io.BytesIO(data), "archive")
    try:
        if is_zip(file):
            return sum(map(_whole, ZipMembers(open_zip(file)))) > 0
        if zlib.crc32(data) % 2:
            return sum(map(_whole, TarMembers(TarStream(file, len(data))))) > 0
        return sum(map(_whole, TarMembers(TarStream(decompressed(file))))) > 0
    except (NoArchive, Damage) as refused:
        str(refused).encode()
        return False
    except ValueError:  # of a directory
        return False


def _whole(member: Member) -> bool:
    name, refusal = checked_name(member.name)
    (name + refusal + member.refusal).encode()
    if refusal or member.refusal or member.size > MAX_BYTES:
        return False
    try:
        return sum(map(len, member.chunks())) == member.size
    except MemberDamage:
        return False


def repacked(data: bytes) -> bool:
    """Every photo of the archive is listed once, and either refused or completely in a shard."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "archive")
        path.write_bytes(data)
        return _listed(str(path), Storage(f"{folder}/storage"), Path(folder))


def in_place(data: bytes) -> bool:
    """Every photo of a shard that is read where it lies is listed once, and either refused or read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shard-0.tar").write_bytes(data)
        return _listed(f"{folder}/shard-*.tar", Storage(f"{folder}/storage"), Path(folder))


def labelled(data: bytes) -> bool:
    """The same with labels from files beside the photos."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shard-0.tar").write_bytes(data)
        try:
            return _listed(f"{folder}/shard-*.tar", Storage(f"{folder}/storage"), Path(folder), labels="column")
        except PhotoUnreadable:
            return False


def _listed(address: str, storage: Storage, folder: Path, **settings: str) -> bool:
    dataset = open_dataset(Settings.of(dataset=address, max_bytes=MAX_BYTES, **settings), storage)
    try:
        listed = list(dataset.list())
    except DamagedArchive:
        return False
    photos = list(PhotoList.from_parquet(photo_list(listed).to_parquet()))
    held(sorted(photos, key=str) == sorted(listed, key=str), "the list of photos is another one when it is read back")
    good = [photo for photo in photos if not photo.refusal and photo.size <= MAX_BYTES]
    held(len({photo.name for photo in good}) == len(good), "two photos of one name")
    source = Source.model_validate_json(dataset.source.model_dump_json())
    with open_photos(source, storage) as reader:
        read = sum(_read(reader.read(photo, MAX_BYTES), photo) for photo in good)
    held(not [path for path in folder.iterdir() if path.name not in ("archive", "storage", "shard-0.tar")], "escaped")
    return read > 0


def _read(data: bytes, photo: PhotoRef) -> bool:
    held(len(data) == photo.size, f"{len(data)} bytes instead of {photo.size}")
    return True


def read_in_place(data: bytes) -> bool:
    """As `in_place`; a photo whose header cannot be read again is unreadable, which is an outcome, too."""
    try:
        return in_place(data)
    except PhotoUnreadable:
        return False


TARGETS = (
    Target("archives.members", archive, walked, full=200_000, short=1500),
    Target("archives.archive", archive, repacked, full=8_000, short=60),
    Target("archives.shards", tar, read_in_place, full=5_000, short=60),
    Target("archives.labels", sidecars, labelled, full=5_000, short=60),
)
