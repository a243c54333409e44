"""SHA-256 checksums of whole records, verified before parsing; pure.

A flipped bit in a Parquet file, above all in the footer, which locates and types the pages, can
pass unnoticed or crash the reader. Parquet's own page checksums do not cover the footer. A sealed
record is refused if any bit of it has changed. The seal detects damage, not tampering: whoever can
write to the storage can also seal.

::

    text record     SHA-256 in hexadecimal, line feed, content
    Parquet file    "PAR1", pages, SHA-256 of everything else, footer, length of the footer, "PAR1"

Parquet readers find the footer from the end of the file and the pages by offset, and skip what lies
between.
"""

from __future__ import annotations

import hashlib

from meanface.errors import DamagedRecord

HEX = 64
_BYTES = 32
_TAIL = 8  # length of the footer, magic


def seal(content: bytes) -> bytes:
    """Prefix the content with its checksum."""
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unseal(record: bytes, what: str) -> bytes:
    """Return the content of a sealed record; `DamagedRecord` names `what` if a bit differs."""
    content = record[HEX + 1 :]
    if seal(content) != record:
        raise _damaged(what)
    return content


def seal_parquet(file: bytes) -> bytes:
    """Insert the checksum into a Parquet file."""
    footer = _footer(file)
    return file[:footer] + hashlib.sha256(file).digest() + file[footer:]


def check_parquet(file: bytes, what: str) -> None:
    """Verify a sealed Parquet file; `DamagedRecord` names `what` if a bit differs."""
    footer = _footer(file)
    start = footer - _BYTES
    if start < 0 or hashlib.sha256(file[:start] + file[footer:]).digest() != file[start:footer]:
        raise _damaged(what)


def _damaged(what: str) -> DamagedRecord:
    return DamagedRecord(f"{what} fails its checksum: it is damaged, or from another version")


def _footer(file: bytes) -> int:
    """Offset of a Parquet file's footer; negative if there can be none."""
    return len(file) - _TAIL - int.from_bytes(file[-_TAIL:-4], "little") if len(file) >= _TAIL else -1
