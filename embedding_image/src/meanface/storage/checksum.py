"""Records with a checksum over all of their bytes, looked at before anything is parsed, pure.

A page's checksum in Parquet covers the page and nothing else: a bit of the footer, which says where pages are and what
they hold, can change unnoticed, or take the reader along. A *sealed* record is refused as soon as any bit of it is
another. The seal finds damage; who can write to the storage can also seal.

::

    record of text    SHA-256 in hexadecimal, line feed, content
    Parquet file      "PAR1", pages, SHA-256 of everything else, footer, length of the footer, "PAR1"

Readers of Parquet find the footer from the file's end and the pages by their offsets, and pass over what lies between.
"""

from __future__ import annotations

import hashlib

from meanface.errors import DamagedRecord

HEX = 64
_BYTES = 32
_TAIL = 8  # length of the footer, magic


def seal(content: bytes) -> bytes:
    """The content below its checksum.

    >>> unseal(seal(b"content"), "a record")
    b'content'
    """
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unseal(record: bytes, what: str) -> bytes:
    """The content of a sealed record; `what` is how people call it.

    Raises
    ------
    DamagedRecord
        if any bit has changed
    """
    content = record[HEX + 1 :]
    if seal(content) != record:
        raise DamagedRecord(f"{what} fails its checksum: it is damaged, or of another version")
    return content


def seal_parquet(file: bytes) -> bytes:
    """A Parquet file, sealed."""
    footer = _footer(file)
    return file[:footer] + hashlib.sha256(file).digest() + file[footer:]


def check_parquet(file: bytes, what: str) -> None:
    """See that a Parquet file is sealed, and unharmed.

    Raises
    ------
    DamagedRecord
        if any bit has changed
    """
    footer = _footer(file)
    start = footer - _BYTES
    if start < 0 or hashlib.sha256(file[:start] + file[footer:]).digest() != file[start:footer]:
        raise DamagedRecord(f"{what} fails its checksum: it is damaged, or of another version")


def _footer(file: bytes) -> int:
    """First byte of a Parquet file's footer; negative where there can be none."""
    return len(file) - _TAIL - int.from_bytes(file[-_TAIL:-4], "little") if len(file) >= _TAIL else -1
