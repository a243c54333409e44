"""A photo's bytes to pixels, or a refusal that says why.

The pixels are those of `face_recognition.load_image_file`: Pillow's `convert("RGB")`, which spreads grey over three
channels, drops alpha, and takes the first frame of an animation. That function ignores EXIF orientation, and so does
`decode` unless it is asked to turn photos upright. In one thing we differ: that package makes Pillow fill the missing
part of a truncated file with grey; here such a file is refused.

With `max_side`, larger photos are scaled down: other pixels, and so other embeddings. Boxes are then in pixels of the
photo that was scaled.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from meanface.outcome import Outcome

if TYPE_CHECKING:
    from meanface.photosettings import PhotoSettings
    from meanface.settings import Settings

Pixels = NDArray[np.uint8]
"""(rows, columns, 3), RGB, contiguous"""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's decoders that photos may reach."""

Image.MAX_IMAGE_PIXELS = None  # `max_pixels` takes its place: an error that names the photo, not a warning


class PhotoRefused(Exception):
    """A photo that has no pixels for us.

    Parameters
    ----------
    outcome
        how the photo ends
    detail
        why, for people
    """

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome, self.detail = outcome, detail


def decode(data: bytes, settings: PhotoSettings | Settings) -> Pixels:
    """The photo's pixels.

    Raises
    ------
    PhotoRefused
        `undecodable` or `too_large`
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # face_recognition sets it when it is imported
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, settings.max_pixels)
            if settings.max_side is not None:
                image.draft(None, _size_within(image, settings.max_side))
            upright = ImageOps.exif_transpose(image) if settings.exif_orientation else image
            pixels = upright.convert("RGB")
            if settings.max_side is not None:
                pixels.thumbnail((settings.max_side, settings.max_side))
            return np.asarray(pixels, order="C")
    except (PhotoRefused, MemoryError):  # the latter is about the worker: see `sandbox`
        raise
    except Exception as broken:  # whatever a decoder raises over hostile bytes is about this photo
        raise PhotoRefused(Outcome.UNDECODABLE, f"{type(broken).__name__}: {_one_line(str(broken))}") from None


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        size = f"{image.width:,} x {image.height:,} pixels"
        raise PhotoRefused(Outcome.TOO_LARGE, f"{size}, more than max_pixels={max_pixels:,}")


def _size_within(image: Image.Image, max_side: int) -> tuple[int, int]:
    """What a JPEG need not be decoded beyond: libjpeg makes a half, a quarter or an eighth at once."""
    shrink = min(1.0, max_side / max(image.size))
    return math.ceil(image.width * shrink), math.ceil(image.height * shrink)


def _one_line(text: str) -> str:
    """At most 200 characters, without the addresses of objects, which differ from run to run."""
    return " ".join(text.split()).split(" <_io.BytesIO")[0][:200]
