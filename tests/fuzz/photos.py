"""Photos' bytes: the decoder alone, and complete worker processes with a ledger."""

from __future__ import annotations

import atexit
import hashlib
import zlib
from collections.abc import Generator
from itertools import count
from random import Random

import numpy as np

from fuzz.mutate import Mutator
from fuzz.target import Target, held, seeds
from meanface.dataset.refs import PhotoRef
from meanface.embedder.decode import PhotoRefused, decode
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes

MAX_PIXELS = 100_000
"""So few that an input takes no time; what matters is that the bound holds."""
SETTINGS = [Settings(dataset="sample", max_pixels=MAX_PIXELS, exif_orientation=turned) for turned in (False, True)]
WORDS = (
    *(bytes([0xFF, marker]) for marker in (0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xD0, 0xD8, 0xD9, 0xE0, 0xE1, 0xFE)),
    *(b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"fdAT"),
    *(b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ANMF", b"ALPH", b"GIF89a", b"\x21\xff\x0bNETSCAPE2.0", b"BM"),
    *(b"ftyp", b"heic", b"avif", b"mif1", b"meta", b"pitm", b"iloc", b"iinf", b"infe", b"iref", b"dimg", b"iprp"),
    *(b"ipco", b"ipma", b"ispe", b"irot\1", b"imir", b"clap", b"pixi", b"hvcC", b"av1C", b"grid", b"hvc1", b"av01"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"Exif\0\0", b"\x12\x01\x03\0\x01\0\0\0\x06\0", b"JFIF\0", b"ICC_PROFILE\0"),
)
PHOTOS = Mutator(seeds("photo"), WORDS)


def photo(random: Random) -> bytes:
    """A photo, nearly; a PNG's checksums are sometimes put right, so that what they guard is reached."""
    data = PHOTOS(random)
    return _png_with_checksums(data) if data.startswith(b"\x89PNG") and random.random() < 0.7 else data


def _png_with_checksums(data: bytes) -> bytes:
    fixed, at = bytearray(data), 8
    while at + 12 <= len(fixed):
        end = at + 8 + int.from_bytes(fixed[at : at + 4], "big")
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(fixed)


def decoded(data: bytes) -> bool:
    """Pixels, or a refusal; the same one each time."""
    settings = SETTINGS[zlib.crc32(data) % 2]
    try:
        pixels, orientation = decode(data, settings)
    except PhotoRefused as refused:
        held(refused.outcome in (Outcome.UNDECODABLE, Outcome.TOO_LARGE), f"refused as {refused.outcome}")
        held(bool(refused.detail) and refused.detail.isprintable(), f"detail {refused.detail!r}")
        refused.detail.encode()
        return False
    held(orientation in range(1, 9), f"orientation {orientation}")
    rows, columns, colours = pixels.shape
    held((colours, pixels.dtype, pixels.flags.c_contiguous) == (3, np.uint8, True), "not pixels")
    held(0 < rows * columns <= MAX_PIXELS, f"{rows} x {columns} pixels")
    return True


def _served() -> Generator[tuple[PhotoBytes, Chunk], None, None]:
    """What became of the photo that is put into `_NEXT`, worker processes being kept from one input to the next."""
    with Workers(1, SETTINGS[1]) as workers:
        for number in count():
            reading = PhotoBytes(number, f"{number}.jpg", _NEXT[0], hashlib.sha256(_NEXT[0]).digest())
            answers = list(workers.results([[reading]]))
            held([index for index, _ in answers] == [number], f"{len(answers)} answers to one photo")
            ref = PhotoRef(reading.name, len(reading.data))
            yield reading, Chunk.of(reading.index, [ref], [answers[0][1]], [None])


_NEXT = [b""]
_SERVED = _served()
atexit.register(_SERVED.close)


def ended(data: bytes) -> bool:
    """Exactly one outcome in the ledger, whatever became of the worker process."""
    _NEXT[0] = data
    reading, chunk = next(_SERVED)
    key = ChunkKey.of("recipe", [PhotoRef(reading.name, len(data))])
    outcomes = Chunk.from_parquet(chunk.to_parquet(key), key).outcomes()
    held(outcomes.total() == 1, f"outcomes {dict(outcomes)}")
    return not any(outcome.failed for outcome in outcomes)


TARGETS = (
    Target("photos.photo", photo, decoded, full=300_000, short=3000),
    Target("photos.worker", photo, ended, full=4_000, short=50),
)
