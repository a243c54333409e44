"""Look for files with fsspec, so that an outage or a refusal is an error.

fsspec's own `isfile`, `glob`, `find` and `walk` take both for a file or a folder that does not exist.
"""

from __future__ import annotations

from typing import Any


def is_file(fs: Any, path: str) -> bool:
    """Return whether a file has this path; an outage raises the file system's error."""
    try:
        return bool(fs.info(path)["type"] == "file")
    except (FileNotFoundError, NotADirectoryError):
        return False


def entries(fs: Any, folder: str) -> list[tuple[str, bool]]:
    """List the paths of a folder's entries, sorted, each with whether it is a folder."""
    # An object may stand for the folder itself, and `ls` of a file returns the file.
    described = ((entry["name"].rstrip("/"), entry["type"] == "directory") for entry in fs.ls(folder, detail=True))
    return sorted((path, is_folder) for path, is_folder in described if path != folder.rstrip("/"))
