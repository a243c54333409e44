"""HEIC photos, as cameras write them: one picture, or a grid of tiles.

They are encoded by pillow-heif. It is not registered with Pillow, where pi-heif has its place.
"""

from __future__ import annotations

import io
import struct

import _pillow_heif
import numpy as np
import pillow_heif
from PIL import Image
from pillow_heif.constants import HeifChroma, HeifColorspace, HeifCompressionFormat

LOSSLESS = {"quality": -1, "chroma": 444}
ORIENTATION = b"\x12\x01\x03\0\1\0\0\0"
"""of EXIF in little-endian order, without its value"""


def exif(orientation: int) -> bytes:
    """An EXIF block with an orientation alone."""
    return b"Exif\0\0II*\0\x08\0\0\0\1\0" + ORIENTATION + struct.pack("<HH", orientation, 0) + bytes(4)


def heic(*images: Image.Image, **options: object) -> bytes:
    """The file of a picture, or of several; an orientation in `exif` becomes one of the container."""
    file, pictures = io.BytesIO(), pillow_heif.HeifFile()
    for image in images:
        pictures.add_from_pillow(image)
    pictures.save(file, **options)
    return file.getvalue()


def heic_deep(image: Image.Image, bits: int) -> bytes:
    """A colour picture's file with 10 or 12 bits."""
    deep = pillow_heif.from_bytes("RGB;16", image.size, (np.asarray(image).astype(np.uint16) * 257).tobytes())
    file, before = io.BytesIO(), pillow_heif.options.SAVE_HDR_TO_12_BIT
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        deep.save(file, **LOSSLESS)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    return file.getvalue()


def heic_grid(image: Image.Image, tile: int, orientation: int = 1) -> bytes:
    """A picture in square tiles, as iPhones write theirs."""
    columns, rows = image.width // tile, image.height // tile
    file = _pillow_heif.CtxWrite(HeifCompressionFormat.HEVC, -2, "")
    grid = file.create_grid(*image.size, columns, rows, 0, -1, -1, -1, -1, orientation)
    for row in range(rows):
        for column in range(columns):
            part = image.crop((tile * column, tile * row, tile * (column + 1), tile * (row + 1)))
            encoded = file.create_image(part.size, HeifColorspace.RGB, HeifChroma.INTERLEAVED_RGB, 0)
            encoded.add_plane(part.size, 8, 8, part.tobytes(), False, 0)
            file.add_tile(grid, column, row, encoded)
    data: bytes = file.finalize()
    return data


def declared(data: bytes, columns: int, rows: int) -> bytes:
    """A HEIC or AVIF file that declares another size of all of its pictures."""
    changed, at = bytearray(data), 0
    while (at := changed.find(b"ispe", at + 4)) > 0:
        changed[at + 8 : at + 16] = struct.pack(">II", columns, rows)
    return bytes(changed)
