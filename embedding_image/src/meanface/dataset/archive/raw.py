"""A file under an archive reader, whose own errors are not taken for damage of the archive."""

from __future__ import annotations

from typing import IO

from meanface.dataset.photos import reason
from meanface.errors import DatasetNotFound, StorageUnavailable
from meanface.storage.file_errors import os_errors


class RawFile:
    """The methods of a file that archive readers use, with `StorageUnavailable` for `OSError`.

    Decompressors raise `OSError` for damaged data, too: this tells a broken disk or connection,
    where another attempt may help, from a broken archive, where it cannot.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        try:
            with os_errors():
                return self._file.read(size)
        except PermissionError as refused:
            what = f"{self._name!r} may not be read with the present credentials"
            raise DatasetNotFound(f"{what}: {reason(refused)}") from refused
        except OSError as error:
            raise StorageUnavailable(f"{self._name!r} cannot be read: {reason(error)}") from error

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to an offset; readers handle the error of an offset that does not exist."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The current offset."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Whether `seek` works: always."""
        return True
