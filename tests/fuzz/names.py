"""Names and first bytes of files, which distinguish photos from files that are passed over; and labels."""

from __future__ import annotations

import unicodedata
from random import Random

from fuzz.mutate import Mutator
from fuzz.target import Target, held
from meanface.dataset.content import identify
from meanface.dataset.kinds import PREVIEWS, passed_over, passed_over_by_content
from meanface.dataset.passed_over import Account
from meanface.dataset.refs import PhotoRef
from meanface.ledger.photo_labels import label_of, warnings_about
from meanface.settings import Labels

NAMES = (
    *("ann/a.jpg", ".IMG_6.JPG.icloud", "a/@eaDir/a.jpg/SYNOPHOTO.jpg", "$RECYCLE.BIN/S-1-5/a.png", "a.jpg?w=640"),
    *(
        "Photos.photoslibrary/originals/0/a.jpeg",
        "Jose\u0301/2023/1.webp",
        "https://x.example/ann/1.jpg",
        "s-0.tar/ann/1.jpg",
    ),
)
WORDS = (b"/", b"//", b".", b"..", b"._", b"~", b"?", b"://", b".jpg", b".tar.gz", b"\xff", b"\0", "\u0301".encode())
STARTS = (
    *(b"\xff\xd8\xff\xe0\0\x10JFIF", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", b"RIFF\0\0\0\0WEBP"),
    *(
        b"<!DOCTYPE html>",
        b"<?xml version='1.0'?><svg>",
        b"PK\3\4",
        b"II*\0",
        bytes(257) + b"ustar",
        b"{}",
        b"\xef\xbb\xbfa",
    ),
)
NAME = Mutator([name.encode() for name in NAMES], WORDS)
START = Mutator(STARTS, [b"ftyp", b"<svg", b"\xc3\xa9", b"PAR1", b"7z\xbc\xaf\x27\x1c"])


def name(random: Random) -> bytes:
    """A path in a dataset."""
    return NAME(random)


def start(random: Random) -> bytes:
    """First bytes of a file."""
    return START(random)


def _named(data: bytes) -> bool:
    """Every name is a photo's or of a kind, has its labels, and is passed over in a folder that is passed over."""
    name = data.decode("utf-8", "surrogateescape")
    kind = passed_over(name)
    held(passed_over(f"@eaDir/{name}") == PREVIEWS, "a preview that counts")
    account = Account()
    account.add(kind or PREVIEWS, name)
    (record,) = account.records()
    (str(record) + record.model_dump_json()).encode()
    photo = PhotoRef(data.decode("utf-8", "replace"), 1, "s-0.tar", 512)
    for labels in (Labels.PARENT_FOLDER, Labels.TOP_FOLDER):
        label = label_of(photo, labels) or ""
        held(unicodedata.is_normalized("NFC", label) and "/" not in label, f"label {label!r}")
        "".join(warnings_about([photo], labels)).encode()
    return kind is None


def _identified(data: bytes) -> bool:
    """Every start of a file has a name in one line."""
    found = str(identify(data))
    held(bool(found) and found.isprintable(), f"content {found!r}")
    return passed_over_by_content(data) is None


TARGETS = (
    Target("names.kinds", name, _named, full=60_000, short=1000),
    Target("names.contents", start, _identified, full=60_000, short=1000),
)
