"""Lists of photos, in text and in Parquet."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from fuzz.mutate import Mutator
from fuzz.target import Target, held, saved
from meanface.dataset import open_dataset
from meanface.dataset.address import is_web, scheme
from meanface.dataset.refs import PhotoRef
from meanface.errors import DamagedArchive, SettingsError
from meanface.ledger.photo_list import PhotoList
from meanface.settings import Settings
from meanface.storage.files import Storage
from meanface.storage.schemes import BUCKET_SCHEMES
from photo_lists import photo_list

WORDS = [
    b"url",
    b"name",
    b"label",
    b",",
    b";",
    b"sep=",
    b'"',
    b"\r\n",
    b"http://[",
    b"https://u:p@h/?q",
    b"file:///etc/passwd",
    b"../secret.jpg",
    b"a.jpg",
    b"s3://",
    b"::",
    b"\xff",
    b"\xff\xfe",
    b"\0",
]
JSON_WORDS = [*WORDS, b"{", b"}", b"[", b"]", b":", b"null", b"1e999", b"\\ud800", b"\n"]
PARQUET_WORDS = [b"PAR1", b"url", b"image", b"bytes", b"huggingface", b'"names": [', b"\x15\0", b"\xff\xff\xff\x7f"]


def _seeds(*suffixes: str) -> list[bytes]:
    return [path.read_bytes() for path in saved("list") if path.suffix in suffixes]


CSV = Mutator(_seeds(".csv"), WORDS)
JSON = Mutator(_seeds(".jsonl"), JSON_WORDS)
TEXT = Mutator(_seeds(".txt"), WORDS)
PACKED = Mutator(_seeds(".gz", ".zst"), [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xff\xff\xff"])
PARQUET = Mutator(_seeds(".parquet"), PARQUET_WORDS)


def csv(random: Random) -> bytes:
    """A CSV list."""
    return CSV(random)


def json_lines(random: Random) -> bytes:
    """A list in JSON Lines."""
    return JSON(random)


def text(random: Random) -> bytes:
    """A list of addresses."""
    return TEXT(random)


def packed(random: Random) -> bytes:
    """A compressed CSV list."""
    return PACKED(random)


def parquet(random: Random) -> bytes:
    """A Parquet list of addresses or of photos."""
    return PARQUET(random)


def _listed(data: bytes, name: str, **settings: str) -> bool:
    """Every photo is listed once, and none of them is another file of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "lists")
        base.mkdir()
        for path in (base / "a.jpg", Path(folder, "secret.jpg")):
            path.write_bytes(b"photo")
        (base / name).write_bytes(data)
        storage = Storage(f"{folder}/storage")
        try:
            dataset = open_dataset(Settings.of(dataset=str(base / name), **settings), storage)
            photos = list(dataset.list())
        except (DamagedArchive, SettingsError) as refused:
            str(refused).encode()
            return False
        held(
            list(PhotoList.from_parquet(photo_list(photos).to_parquet())) == sorted(photos, key=_key),
            "another list",
        )
        read = [photo for photo in photos if not photo.refusal]
        held(len({photo.name for photo in read}) == len(read), "two photos of one name")
        for photo in read:
            address = photo.source or photo.name
            elsewhere = photo.offset >= 0 or is_web(address) or scheme(address) in BUCKET_SCHEMES
            held(elsewhere or (base / address).resolve().is_relative_to(base.resolve()), f"address {address!r}")
        return bool(read)


def _key(photo: PhotoRef) -> tuple[bytes, int, bytes, int, bytes, bytes, bytes]:
    texts = (photo.source, photo.refusal, photo.version, photo.label)
    source, refusal, version, label = (value.encode() for value in texts)
    return (photo.name.encode(), photo.size, source, photo.offset, refusal, version, label)


TARGETS = (
    Target("lists.csv", csv, lambda data: _listed(data, "list.csv", labels="column"), full=15_000, short=150),
    Target("lists.json", json_lines, lambda data: _listed(data, "list.jsonl", labels="column"), full=15_000, short=150),
    Target("lists.text", text, lambda data: _listed(data, "list.txt"), full=5_000, short=100),
    Target("lists.packed", packed, lambda data: _listed(data, "list.csv.zst"), full=10_000, short=150),
    Target("lists.parquet", parquet, lambda data: _listed(data, "list.parquet"), full=10_000, short=150),
    Target("lists.table", parquet, lambda data: _listed(data, "list.parquet", labels="column"), full=10_000, short=150),
)
