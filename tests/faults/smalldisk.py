"""A small file system of its own for a run's files, which can be full or read-only; needs the right to mount."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

SIZE = 32 * 2**20
_PAGE = 4096


class SmallDisk:
    """A tmpfs where one may be mounted, a plain folder where not; ends with the block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._filler = folder / "filler"
        self.mounted = False

    def __enter__(self) -> Self:
        with suppress(FileNotFoundError):
            command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "meanface-faults", str(self.folder)]
            self.mounted = not subprocess.run(command, capture_output=True, check=False).returncode
        return self

    def __exit__(self, *error: object) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self, pages: int) -> None:
        """Leave so many pages of 4 kB."""
        free = os.statvfs(self.folder).f_bavail - pages
        with suppress(OSError), self._filler.open("ab") as filler:
            for _ in range(free):
                filler.write(bytes(_PAGE))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def protect(self) -> bool:
        """Make it read-only, which the kernel refuses while a file is open for writing."""
        return self._remount("ro")

    def release(self) -> None:
        assert self._remount("rw")

    def _remount(self, way: str) -> bool:
        command = ["mount", "-o", f"remount,{way}", str(self.folder)]
        return not subprocess.run(command, capture_output=True, check=False).returncode
