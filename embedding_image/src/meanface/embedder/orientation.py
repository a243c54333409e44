"""EXIF orientation of a photo, and the transformation it means.

Only the tag 0x112 is read; the rest of the EXIF block may be damaged.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UPRIGHT = 1

ORIENTATION = 0x112
"""EXIF tag"""
_FORMATS = {1: "B", 3: "H", 4: "I"}
"""formats of a tag's integer by EXIF type: BYTE, SHORT (the standard's), LONG"""

_STORED = {
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, -1, 1),
    7: (True, -1, -1),
    8: (True, 1, -1),
}
"""from upright to stored pixels: whether rows and columns are swapped, and the steps along both"""


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation of an opened picture, 1 to 8; 1 if there is none, or an invalid one.

    A PNG has to be loaded first, as its block may follow the pixels. A TIFF must not be loaded yet:
    Pillow then rotates it and removes the tag.
    """
    if image.format == "TIFF":
        return _valid(getattr(image, "tag_v2", {}).get(ORIENTATION))
    return _valid(_tag(_exif_block(image.info)))


def as_stored(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """View of upright pixels (rows, columns, channels) as a file of that orientation stores them.

    Stored pixels that are written into the view are upright in `pixels`. Source: EXIF 2.32 (CIPA
    DC-008), section 4.6.4, tag 274.

    >>> upright = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    >>> as_stored(upright, 6)[..., 0].tolist()
    [[2, 5], [1, 4], [0, 3]]
    """
    swapped, rows, columns = _STORED[orientation]
    view = pixels.swapaxes(0, 1) if swapped else pixels
    return view[::rows, ::columns]


def _valid(value: Any) -> int:
    return value if type(value) is int and 1 <= value <= 8 else UPRIGHT


def _exif_block(info: dict[Any, Any]) -> bytes:
    """The EXIF block that Pillow found, as TIFF; empty if there is none."""
    block = info.get("exif")
    if isinstance(block, bytes):
        return block.removeprefix(b"Exif\0\0")
    profile = info.get("Raw profile type exif")  # ImageMagick's PNG: name, size, hex digits
    if not isinstance(profile, str):
        return b""
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:])).removeprefix(b"Exif\0\0")
    except ValueError:
        return b""


def _tag(block: bytes) -> int | None:
    """The orientation in the first directory of an EXIF block, if any; TIFF 6.0, section 2."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        if order is None:
            return None
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == ORIENTATION:
                value: int = struct.unpack_from(order + _FORMATS[kind], block, entry + 8)[0] if count == 1 else 0
                return value
    except (struct.error, KeyError):
        return None
    return None
