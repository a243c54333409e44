"""A photo's bytes to pixels, or a refusal that says why.

The pixels are those of `face_recognition.load_image_file`: Pillow's `convert("RGB")`, which spreads grey over three
channels, drops alpha, and takes the first frame of an animation. That function ignores EXIF orientation, but for TIFF,
which Pillow itself turns; so does `decode` with `exif_orientation` off, and otherwise it turns photos upright. In one
thing we differ: that package makes Pillow fill the missing part of a truncated file with grey; here such a file is
refused. One that has all its pixels is not, whatever is damaged beside them (`repair`).

With `max_side`, larger photos are scaled down: other pixels, and so other embeddings. Boxes are then in pixels of the
photo that was scaled.

A decoder that gets no memory calls the photo broken (libjpeg: "broken data stream"; Pillow's readers of WebP and TIFF
have words of their own). So a refusal says how much memory the photo may have needed: who has less cannot believe it.
"""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from meanface.dataset import content
from meanface.embedder.orientation import UPRIGHT, orientation_of, turned
from meanface.embedder.repair import lacks_end, repaired
from meanface.outcome import Outcome

if TYPE_CHECKING:
    from meanface.photo_settings import PhotoSettings
    from meanface.settings import Settings

Pixels = NDArray[np.uint8]
"""(rows, columns, 3), RGB, contiguous"""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's decoders that photos may reach."""

_PHOTOS = {"a JPEG photo", "a PNG photo", "a WebP photo", "a GIF photo", "a BMP photo", "a TIFF photo"}

DECODING = 20
"""Bytes per pixel that no decoder exceeds; docs/sizing.md has what each takes."""
ROWS = 1 << 18
"""pixels, about, that are copied out of the decoder's picture at a time"""

_LARGEST = 255
_BRIGHTEST = 2
"""below it, floats have 1 for white; of a photo with 255 for white, all would be black"""
_BITS_PER_SAMPLE = 258

Image.MAX_IMAGE_PIXELS = None  # `max_pixels` takes its place: an error that names the photo, not a warning


class Photo(NamedTuple):
    """A photo that was decoded."""

    pixels: Pixels
    """upright, unless `exif_orientation` is off"""
    orientation: int
    """the EXIF orientation that its file names, 1 to 8"""


class PhotoRefused(Exception):
    """A photo that has no pixels for us.

    Parameters
    ----------
    outcome
        how the photo ends
    detail
        why, for people
    memory
        bytes without which a good photo of this size may end so, too
    """

    def __init__(self, outcome: Outcome, detail: str, memory: int = 0) -> None:
        super().__init__(detail)
        self.outcome, self.detail, self.memory = outcome, detail, memory


def decode(data: bytes, settings: PhotoSettings | Settings) -> Photo:
    """The photo's pixels, and how they were turned.

    Raises
    ------
    PhotoRefused
        `undecodable` or `too_large`
    MemoryError
        if it takes more memory than there is, and its decoder says so
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # face_recognition sets it when it is imported
    found = _decoded(data, settings)
    if isinstance(found, Photo) and lacks_end(data):
        needed = DECODING * found.pixels.size // 3 + 3 * len(data)
        found = PhotoRefused(
            Outcome.UNDECODABLE, "the image file is truncated: its end marker is missing, and pixels are", needed
        )
    if isinstance(found, PhotoRefused) and found.outcome is Outcome.UNDECODABLE:
        found = _decoded_repaired(data, settings, found)
    if isinstance(found, PhotoRefused):
        raise found
    return found


def _decoded(data: bytes, settings: PhotoSettings | Settings) -> Photo | PhotoRefused:
    """A refusal is returned and not raised: a traceback would keep the decoder's memory."""
    size = _webp_size(data)
    if refused := _too_large(size, settings.max_pixels):
        return refused
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            size = image.size
            if refused := _too_large(size, settings.max_pixels):
                return refused
            if settings.max_side is not None:
                image.draft(None, _size_within(image, settings.max_side))
            orientation = orientation_of(image)
            image.load()
            if image.format != "TIFF":
                orientation = orientation_of(image)
            upright = settings.exif_orientation and image.format != "TIFF"
            loaded = _eight_bits(image)
            if settings.max_side is not None:
                loaded = loaded if loaded.mode == "RGB" else loaded.convert("RGB")
                loaded.thumbnail((settings.max_side, settings.max_side))
            return Photo(_pixels(loaded, orientation if upright else UPRIGHT), orientation)
    except MemoryError:  # is about the worker: see `sandbox`
        raise
    except Exception as broken:  # whatever a decoder raises over hostile bytes is about this photo
        if isinstance(broken, UnidentifiedImageError):
            detail = _unidentified(data)
        else:
            detail = f"{type(broken).__name__}: {_one_line(str(broken))}"
        return PhotoRefused(Outcome.UNDECODABLE, detail, DECODING * math.prod(size) + 3 * len(data))


def _decoded_repaired(data: bytes, settings: PhotoSettings | Settings, refused: PhotoRefused) -> Photo | PhotoRefused:
    """A photo that is damaged beside its pixels, or why it is refused."""
    found: Photo | PhotoRefused = refused
    digests = set()
    for copy in repaired(data):
        found = refused  # so that there is one picture at a time
        found = _decoded(copy, settings)
        if isinstance(found, PhotoRefused):
            if found.outcome is Outcome.TOO_LARGE:
                return found
            return PhotoRefused(refused.outcome, refused.detail, max(refused.memory, found.memory))
        digests.add(hashlib.sha256(found.pixels.data).digest())
    return found if len(digests) == 1 else refused


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greys of 9 to 16 bits by their upper eight, as Pillow takes colours of 16 bits; floats from 0 to 1 times 255.

    Greys of which none is above 255 are taken as they are, whatever the file may have room for. Floats may be a little
    above 1, as resampling leaves them, and some of them no numbers, which are black.
    """
    if image.mode.startswith("I;16"):
        greys = np.array(image)
        if greys.max() > _LARGEST:
            greys >>= (image.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0] if isinstance(image, TiffImageFile) else 16) - 8
        return Image.fromarray(greys.clip(0, _LARGEST, out=greys).astype(np.uint8))
    if image.mode == "F":
        floats = np.nan_to_num(np.array(image), copy=False, posinf=np.inf, neginf=-np.inf)
        if floats.max() < _BRIGHTEST:
            floats *= _LARGEST
        return Image.fromarray(floats.clip(0, _LARGEST, out=floats).astype(np.uint8))
    return image


def _pixels(image: Image.Image, orientation: int) -> Pixels:
    """Of a picture that is decoded, set upright; some rows at a time, so that little is there twice."""
    shape = (image.height, image.width) if orientation < 5 else (image.width, image.height)
    pixels = np.empty((*shape, 3), np.uint8)
    as_filed = turned(pixels, orientation)
    step = max(1, ROWS // image.width)
    for top in range(0, image.height, step):
        rows = image.crop((0, top, image.width, min(top + step, image.height)))
        as_filed[top : top + step] = np.asarray(rows if rows.mode == "RGB" else rows.convert("RGB"))
    return pixels


def _too_large(size: tuple[int, int], max_pixels: int) -> PhotoRefused | None:
    if math.prod(size) <= max_pixels:
        return None
    return PhotoRefused(Outcome.TOO_LARGE, f"{size[0]:,} x {size[1]:,} pixels, more than max_pixels={max_pixels:,}")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Columns and rows that a WebP file claims, for which Pillow takes memory when it opens it; (0, 0) of other files.

    Source: RFC 9649, sections 2.5 to 2.7 and 3.4.
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


def _size_within(image: Image.Image, max_side: int) -> tuple[int, int]:
    """What a JPEG need not be decoded beyond: libjpeg makes a half, a quarter or an eighth at once."""
    shrink = min(1.0, max_side / max(image.size))
    return math.ceil(image.width * shrink), math.ceil(image.height * shrink)


def _unidentified(data: bytes) -> str:
    """What a file is that no decoder takes."""
    found = content.identify(data[: content.START])
    if found.name in _PHOTOS:
        return f"damaged: it begins as {found.name}, but its header cannot be read"
    return f"no photo of a format that is read, but {found}"


def _one_line(text: str) -> str:
    """At most 200 characters, without the addresses of objects, which differ from run to run."""
    return " ".join(text.split()).split(" <_io.BytesIO")[0][:200]
