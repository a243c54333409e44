"""A plugin for Pillow that reads the primary picture of a HEIC file, and nothing else in it.

It calls the C extension of pi-heif. That package's own plugin also reads metadata, whose damage ends
the process in version 1.4.0.

The import loads libheif: see `heif.decoders`.
"""

from __future__ import annotations

from typing import Any

import _pi_heif
from PIL import ImageFile

THREADS = 0
"""libheif then decodes in the calling thread"""


class HeicImageFile(ImageFile.ImageFile):
    """The primary picture, upright, with 8 bits; grey ones may have 16."""

    format = "HEIF"
    format_description = "HEIC photo"

    def _open(self) -> None:
        try:
            pictures = _pi_heif.load_file(
                self.fp.read() if self.fp else b"",
                THREADS,
                True,  # colours of 10 and 12 bits become 8
                False,  # RGB, not BGR
                False,  # rows may have bytes at their ends
                True,  # greys of 10 and 12 bits become 16
                "",  # any decoder
                False,  # libheif's limits apply
            )
        except (OSError, ValueError, RuntimeError, EOFError) as refused:
            raise SyntaxError(str(refused)) from None
        found = [picture for picture in pictures if picture is not None]
        self._picture: Any = next((picture for picture in found if picture.primary), None)
        if self._picture is None:
            raise SyntaxError("no primary picture")
        self._size, self._mode = self._picture.size_mode

    def load(self) -> Any:
        """Decode the picture."""
        if self._picture is not None:
            data = self._picture.data
            self._size, self._mode = self._picture.size_mode
            self.load_prepare()
            self.frombytes(data, "raw", (self.mode, self._picture.stride))
            self._picture = None
        return super().load()
