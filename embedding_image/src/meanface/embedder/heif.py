"""Prepare Pillow to open HEIC and AVIF photos in a worker process, which may start no threads.

HEIC is decoded by libheif and libde265 (the package pi-heif), AVIF by libavif and dav1d (in Pillow).
Each would start threads. A failed start of one ends the process (libde265) or fails the photo
(dav1d).

libheif itself turns a HEIC photo upright, by the rotation that its container declares. libavif
leaves the photo as it lies, and Pillow reports the container's rotation as its EXIF orientation.
Both ignore what the EXIF block says, as the standard demands.
"""

from __future__ import annotations

import ctypes
from functools import cache

from PIL import AvifImagePlugin, Image

from meanface.embedder import heif_items

WITHOUT_NATIVE = (
    "a HEIC photo, which takes native code to read: convert it to JPEG, or install meanface where there is a C++17 "
    "compiler"
)


class PictureIncomplete(Exception):
    """A HEIC or AVIF photo without all data of its picture; the message says what is missing."""


def is_container(data: bytes) -> bool:
    """Whether a file is an ISO media container: HEIC, AVIF, or a video."""
    return data[4:8] == b"ftyp"


def decoders_of(data: bytes) -> tuple[str, ...]:
    """Pillow's decoders for a container; PictureIncomplete if data of its picture are missing."""
    if missing := heif_items.missing_part(data):  # libheif leaves missing tiles grey
        raise PictureIncomplete(missing)
    return decoders()


@cache
def decoders() -> tuple[str, ...]:
    """Set up Pillow's decoders for these photos; without native code there is none for HEIC."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the calling one
    try:
        from meanface.embedder import _native
    except ImportError:
        return ("AVIF",)
    # libheif is loaded after this, and finds our `de265_start_worker_threads` (native/libde265_threads.cpp).
    ctypes.CDLL(_native.__file__, mode=ctypes.RTLD_GLOBAL)
    from meanface.embedder.heic_plugin import HeicImageFile

    Image.register_open(HeicImageFile.format, HeicImageFile)
    return ("AVIF", HeicImageFile.format)
