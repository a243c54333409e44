"""`meanface.embed`: the faces of one image, in a worker process that stays for the next."""

from __future__ import annotations

import atexit
import hashlib
import io
import os
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from meanface.cli import environment
from meanface.embedder.faces import Face
from meanface.embedder.orientation import ORIENTATION, UPRIGHT, orientation_of
from meanface.errors import DatasetNotFound, PhotoRefused, SettingsError, UsageError
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.storage.files import without_credentials
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes

Picture = str | os.PathLike[str] | bytes | NDArray[np.uint8] | Image.Image
"""what `embed` takes"""

_OF_PNG = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16"}
"""Pillow's modes that a PNG file keeps; a TIFF file keeps the others"""


def embed(image: Picture, **settings: Any) -> list[Face]:
    """Find and embed the faces of one image: all of them, unless `faces` says otherwise.

    The first call starts a worker process, in about a second. It stays for further calls with the same
    settings, and ends with this process. Calls may come from several threads; they take turns.

    Parameters
    ----------
    image
        the path of a photo, or its bytes; a Pillow image; or an array of type uint8 and of shape
        (rows, columns, 3), in the order red, green, blue, or (rows, columns) for greys. A file and
        a Pillow image are turned upright by their EXIF orientation, arrays are taken as they are.
    settings
        any setting of `meanface.Settings` that affects a photo, such as `faces`, `min_face`, `upsample` or
        `detector`

    Returns
    -------
    list of Face
        the faces in the detector's order: `box` (top, right, bottom, left, in pixels of the
        upright image), `score`, `embedding` (float32[n]), and `chip` (the aligned face,
        uint8[150, 150, 3]); empty if there is none. With `faces="single"` it is also empty if there are
        several.

    Raises
    ------
    DatasetNotFound
        there is no such file, or it cannot be read
    PhotoRefused
        the image cannot be decoded, is too large, or ends its worker process
    UsageError
        the array has another type or shape, or a setting is invalid (`SettingsError`)

    Examples
    --------
    >>> import meanface
    >>> import numpy as np
    >>> meanface.embed(np.zeros((100, 100, 3), np.uint8))
    []
    """
    chosen = Settings.of(**{"dataset": "one image", "faces": "all"} | settings)
    data = _encoded(image, chosen.max_bytes)
    result = _worker.result(PhotoBytes(0, "image", data, hashlib.sha256(data).digest()), chosen)
    if result.outcome.failed:
        raise PhotoRefused(f"the image is {result.outcome.value}: {result.detail or result.outcome.meaning}")
    return list(result.faces)


class _Worker:
    """One worker process for the last settings."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._workers: Workers | None = None
        self._opened: tuple[Any, ...] = ()

    def result(self, photo: PhotoBytes, settings: Settings) -> Any:
        """Embed a photo."""
        opened = (os.getpid(), settings, environment.cache(), environment.kernels())
        with self._lock:
            if self._workers is None or self._opened != opened:
                self.close()
                self._workers, self._opened = Workers(1, settings, *opened[2:]), opened
            try:
                ((_, result),) = self._workers.results([[photo]])
            except BaseException:  # also of Ctrl-C, with a photo under way
                self.close()
                raise
            return result

    def close(self) -> None:
        """End the process; one of the process that this one was forked from stays."""
        if self._workers is not None and self._opened[0] == os.getpid():
            self._workers.__exit__()
        self._workers = None


_worker = _Worker()
atexit.register(_worker.close)


def _encoded(image: Picture, max_bytes: int) -> bytes:
    """The bytes of a file whose pixels are those of the image; no photo is decoded here."""
    if isinstance(image, bytes):
        data = image
    elif isinstance(image, np.ndarray):
        return _file_of(Image.fromarray(_checked(image)))
    elif isinstance(image, ImageFile.ImageFile) and image.tile and image.fp is not None and not image.tell():
        # its pixels are not decoded yet
        place = image.fp.tell()
        image.fp.seek(0)
        data = image.fp.read(max_bytes + 1)
        image.fp.seek(place)
    elif isinstance(image, Image.Image):
        return _file_of(image, UPRIGHT if image.format == "TIFF" else orientation_of(image))
    elif isinstance(image, str | os.PathLike):
        data = _read(os.fspath(image), max_bytes)
    else:
        raise UsageError(f"an image is a path, bytes, an array or a Pillow image, not {type(image).__name__}")
    if len(data) > max_bytes:
        raise PhotoRefused(f"the image is {Outcome.TOO_LARGE.value}: more than max_bytes={max_bytes:,}")
    return data


def _read(path: str, max_bytes: int) -> bytes:
    if "://" in path:
        public = without_credentials(path)
        raise SettingsError(f"image {public!r}: embed reads files of this machine; run takes addresses")
    try:
        with Path(path).open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise DatasetNotFound(f"the image {path} cannot be read: {error.strerror}") from None


def _checked(array: NDArray[Any]) -> NDArray[np.uint8]:
    grey, colours = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (grey or colours) or not array.size:
        raise UsageError(
            f"the array has type {array.dtype} and shape {array.shape}: expected uint8 of shape "
            "(rows, columns, 3), red first, or (rows, columns)"
        )
    return np.ascontiguousarray(array)


def _file_of(image: Image.Image, orientation: int = UPRIGHT) -> bytes:
    """A file with the image's pixels and this EXIF orientation, and without its other metadata."""
    if not (image.width and image.height):
        raise UsageError(f"the image has no pixels: {image.width} x {image.height}")
    output, exif, bare = io.BytesIO(), Image.Exif(), image.copy()
    exif[ORIENTATION] = orientation
    bare.info = {}
    if image.mode in _OF_PNG:
        bare.save(output, "PNG", compress_level=1, exif=exif)
    else:
        bare.save(output, "TIFF", exif=exif)
    return output.getvalue()
