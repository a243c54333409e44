"""Decode a photo's bytes to pixels, or refuse it with a reason.

The pixels are those of `face_recognition.load_image_file`: Pillow's `convert("RGB")`, which copies
grey to three channels, drops alpha, and takes the first frame of an animation. That function
ignores EXIF orientation, except for TIFF, which Pillow itself rotates; so does `decode` with
`exif_orientation` off. Otherwise it rotates photos upright. There is one difference: that package
makes Pillow fill the missing part of a truncated file with grey; here such a file is refused. A
file that has all its pixels is not, whatever else in it is damaged (`photo_repair`).

With `max_side`, larger photos are scaled down: other pixels, so other embeddings. Boxes are in
pixels of the scaled photo.

A decoder without enough memory reports a broken photo (libjpeg: "broken data stream"; Pillow's
readers of WebP and TIFF have other messages). So a refusal has the memory that the photo may need:
with less, the reason may be wrong.
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

from meanface.embedder import heif
from meanface.embedder.declared_size import declared_size
from meanface.embedder.orientation import UPRIGHT, as_stored, orientation_of
from meanface.embedder.photo_repair import lacks_end, repair_candidates
from meanface.embedder.photo_size import too_large
from meanface.outcome import Outcome
from meanface.system import has_room

if TYPE_CHECKING:
    from meanface.photo_settings import PhotoSettings
    from meanface.settings import Settings

Pixels = NDArray[np.uint8]
"""(rows, columns, 3), RGB, contiguous"""

FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's decoders for photos; `heif` has those for HEIC and AVIF"""

_PHOTOS = {
    *("a JPEG photo", "a PNG photo", "a WebP photo", "a GIF photo", "a BMP photo", "a TIFF photo"),
    *("a HEIC photo", "an AVIF photo"),
}

DECODING = 20
"""Most bytes per pixel that a decoder needs; docs/sizing.md has each decoder's."""
ROWS = 1 << 18
"""pixels, approximately, that are copied from the decoder's picture at a time"""

_LARGEST = 255
_BRIGHTEST = 2
"""Floats below it have 1 for white; with 255 for white the photo would be black."""
_BITS_PER_SAMPLE = 258

Image.MAX_IMAGE_PIXELS = None  # `max_pixels` replaces it: an error for the photo, not a warning


class Photo(NamedTuple):
    """A decoded photo."""

    pixels: Pixels
    """upright, unless `exif_orientation` is off"""
    orientation: int
    """EXIF orientation of the file, 1 to 8"""


class PhotoRefused(Exception):
    """A photo that cannot be decoded, with its outcome and the reason in words.

    `memory` has the bytes that an intact photo of this size needs to be decoded.
    """

    def __init__(self, outcome: Outcome, detail: str, memory: int = 0) -> None:
        super().__init__(detail)
        self.outcome, self.detail, self.memory = outcome, detail, memory


def decode(data: bytes, settings: PhotoSettings | Settings) -> Photo:
    """Decode a photo; PhotoRefused if it is `undecodable` or `too_large`.

    MemoryError if its decoder reports too little memory, or if it fails and too little memory may
    be the reason.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # face_recognition sets it when it is imported
    found = _decode(data, settings)
    if isinstance(found, Photo) and lacks_end(data):
        needed = DECODING * found.pixels.size // 3 + 3 * len(data)
        found = PhotoRefused(
            Outcome.UNDECODABLE, "the image file is truncated: its end marker is missing, and pixels are", needed
        )
    if isinstance(found, PhotoRefused) and found.outcome is Outcome.UNDECODABLE:
        found = _decode_repaired(data, settings, found)
    if isinstance(found, Photo):
        return found
    if not has_room(found.memory):  # checked here, where the decoder's memory is free again
        raise MemoryError
    raise found


def _decode(data: bytes, settings: PhotoSettings | Settings) -> Photo | PhotoRefused:
    """A refusal is returned and not raised: a traceback would keep the decoder's memory."""
    size = declared_size(data)
    if refused := _too_large(size, settings):
        return refused
    try:
        formats = heif.decoders_of(data) if heif.is_container(data) else FORMATS
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=formats) as image:
            size = image.size
            if refused := _too_large(size, settings):
                return refused
            if settings.max_side is not None:
                # libjpeg decodes to a half, a quarter or an eighth at once, where that is enough.
                shrink = min(1.0, settings.max_side / max(image.size))
                image.draft(None, (math.ceil(image.width * shrink), math.ceil(image.height * shrink)))
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
    except MemoryError:  # concerns the worker: see `sandbox`
        raise
    except Exception as broken:  # decoders raise many kinds of exceptions for untrusted bytes
        if isinstance(broken, UnidentifiedImageError):
            detail = _unidentified(data)
        else:  # without the addresses of objects, which differ from run to run
            words = " ".join(str(broken).split()).split(" <_io.BytesIO")[0]
            detail = f"{type(broken).__name__}: {words[:200]}"
        return PhotoRefused(Outcome.UNDECODABLE, detail, DECODING * math.prod(size) + 3 * len(data))


def _decode_repaired(data: bytes, settings: PhotoSettings | Settings, refused: PhotoRefused) -> Photo | PhotoRefused:
    """Decode a photo with damage outside its pixels; all candidates must have the same pixels."""
    found: Photo | PhotoRefused = refused
    digests = set()
    for copy in repair_candidates(data):
        found = refused  # releases the last picture before the next
        found = _decode(copy, settings)
        if isinstance(found, PhotoRefused):
            if found.outcome is Outcome.TOO_LARGE:
                return found
            return PhotoRefused(refused.outcome, refused.detail, max(refused.memory, found.memory))
        digests.add(hashlib.sha256(found.pixels.data).digest())
    return found if len(digests) == 1 else refused


def _eight_bits(image: Image.Image) -> Image.Image:
    """Reduce greys of 9 to 16 bits to their upper eight, as Pillow does for colours, and floats.

    Greys up to 255 stay as they are, whatever the bit depth of the file. Floats from 0 to 1 are
    multiplied by 255; resampling may leave some a little above 1, and NaN is black.
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
    """Copy a decoded picture upright; some rows at a time, so that little is in memory twice."""
    shape = (image.height, image.width) if orientation < 5 else (image.width, image.height)
    pixels = np.empty((*shape, 3), np.uint8)
    stored = as_stored(pixels, orientation)
    step = max(1, ROWS // image.width)
    for top in range(0, image.height, step):
        rows = image.crop((0, top, image.width, min(top + step, image.height)))
        stored[top : top + step] = np.asarray(rows if rows.mode == "RGB" else rows.convert("RGB"))
    return pixels


def _too_large(size: tuple[int, int], settings: PhotoSettings | Settings) -> PhotoRefused | None:
    reason = too_large(size, settings)
    return PhotoRefused(Outcome.TOO_LARGE, reason) if reason else None


def _unidentified(data: bytes) -> str:
    """Describe a file that no decoder accepts."""
    from meanface.dataset import content  # a worker starts without datasets

    found = content.identify(data[: content.START])
    if found.name == "a HEIC photo" and "HEIF" not in heif.decoders():
        return heif.WITHOUT_NATIVE
    if found.name in _PHOTOS:
        return f"damaged: it begins like {found.name}, but its header cannot be read"
    return f"not a photo in a supported format, but {found}"
