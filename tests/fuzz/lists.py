"""Lists of URLs, in CSV and in Parquet."""

from __future__ import annotations

import tempfile
from random import Random

from fuzz.mutate import Mutator
from fuzz.target import Target, held, saved
from meanface.dataset.address import is_web, scheme
from meanface.dataset.network_policy import PUBLIC
from meanface.dataset.refs import PhotoRef
from meanface.dataset.urls import UrlDataset
from meanface.errors import DamagedArchive, SettingsError
from meanface.ledger.photo_list import PhotoList
from meanface.storage.files import BUCKET_SCHEMES

WORDS = [
    b"url",
    b"name",
    b",",
    b'"',
    b"\r\n",
    b"http://[",
    b"https://u:p@h/?q",
    b"file:///etc/passwd",
    b"s3://",
    b"::",
    b"\xff",
    b"\0",
]
CSV = Mutator([path.read_bytes() for path in saved("list") if path.suffix == ".csv"], WORDS)
PARQUET = Mutator(
    [path.read_bytes() for path in saved("list") if path.suffix == ".parquet"], [b"PAR1", b"url", b"\x15\0"]
)


def csv(random: Random) -> bytes:
    """A CSV list."""
    return CSV(random)


def parquet(random: Random) -> bytes:
    """A Parquet list."""
    return PARQUET(random)


def _listed(data: bytes, *, parquet: bool) -> bool:
    """Every URL is a photo once, and none of them is a file of this machine."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            photos = list(UrlDataset(file.name, parquet=parquet, network_policy=PUBLIC).list())
        except (DamagedArchive, SettingsError) as refused:
            str(refused).encode()
            return False
    held(
        list(PhotoList.from_parquet(PhotoList.sorted(photos).to_parquet())) == sorted(photos, key=_key), "another list"
    )
    held(len({photo.name for photo in photos}) == len(photos), "two photos of one name")
    for photo in photos:
        address = photo.source or photo.name
        held(bool(photo.refusal) or is_web(address) or scheme(address) in BUCKET_SCHEMES, f"address {address!r}")
    return any(not photo.refusal for photo in photos)


def _key(photo: PhotoRef) -> tuple[bytes, int, bytes, int, bytes]:
    return (photo.name.encode(), photo.size, photo.source.encode(), photo.offset, photo.refusal.encode())


TARGETS = (
    Target("lists.csv", csv, lambda data: _listed(data, parquet=False), full=15_000, short=150),
    Target("lists.parquet", parquet, lambda data: _listed(data, parquet=True), full=10_000, short=150),
)
