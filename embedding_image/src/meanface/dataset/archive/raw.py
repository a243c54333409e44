"""Files under an archive reader: their own troubles are not taken for damage of the archive."""

from __future__ import annotations

from typing import IO

from meanface.dataset.photos import reason
from meanface.errors import StorageUnavailable
from meanface.storage.files import network_errors


class RawFile:
    """Passes on what archive readers use of a file; `StorageUnavailable` instead of its errors.

    Decompressors complain about damaged data with `OSError` too: this is what tells a broken disk or connection, where
    trying again may help, from a broken archive, where it cannot.
    """

    def __init__(self, file: IO[bytes], shown: str) -> None:
        self._file, self._shown = file, shown

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        try:
            return self._file.read(size)
        except Exception as error:
            if isinstance(error, network_errors()):
                raise StorageUnavailable(f"{self._shown!r} cannot be read: {reason(error)}") from error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; readers try places that do not exist, and know the error."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Say the place."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Archive readers ask."""
        return True
