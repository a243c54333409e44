"""Read the size of a photo from its header, before Pillow opens it and allocates memory; pure."""

from __future__ import annotations

from meanface.embedder import heif_items


def declared_size(data: bytes) -> tuple[int, int]:
    """Columns and rows in the header of a WebP, HEIC or AVIF file; (0, 0) for other files."""
    return heif_items.declared_size(data) if data[4:8] == b"ftyp" else _webp_size(data)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Columns and rows in the header of a WebP file; (0, 0) for other files.

    Pillow allocates memory for them when it opens the file. Source: RFC 9649, sections 2.5 to 2.7
    and 3.4.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return 0, 0
    match data[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case _:
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
