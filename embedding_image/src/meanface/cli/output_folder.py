"""Name a run's output folder after its dataset, if no name is given."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from meanface.dataset.address import ARCHIVE_SUFFIXES, has_suffix, is_glob, is_web, local_path, scheme
from meanface.dataset.addresses import addresses
from meanface.dataset.kinds import PHOTO_SUFFIXES
from meanface.dataset.table.form import LIST_SUFFIXES
from meanface.storage.files import without_credentials

SUFFIX = "-mean"
LONGEST = 100
"""characters, of at most 4 bytes each: file systems allow 255 bytes"""

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_WILDCARDS = re.compile(r"\{\d+\.\.\d+\}|\[[^]]*\]|[*?]")
_UNUSUAL = re.compile(r"[^\w.+@ -]+")


def default_output(dataset: str) -> str:
    r"""Name the output folder of a dataset, whose date fields are filled in: `photos-mean`.

    It is the last part of the address, without suffix, wildcards and unusual characters. A part
    without a letter, such as a day, follows the part above it.

    >>> default_output("/home/ada/photos/"), default_output("https://ada:secret@photos.example/lfw.tgz?key=1")
    ('photos-mean', 'lfw-mean')
    >>> default_output("s3://photos/2026/03/07/"), default_output("/data/faces-{000..127}.tar")
    ('photos-2026-03-07-mean', 'faces-mean')
    >>> default_output("/data/anna\n/data/bob\nlfw")
    'anna-and-2-more-mean'
    """
    first, *others = addresses(dataset)
    more = f"-and-{len(others)}-more" if others else ""
    return f"{_name(first)}{more}{SUFFIX}"


def _name(dataset: str) -> str:
    parts = [part for part in map(_usual, _parts(dataset)) if part] or ["photos"]
    name = parts.pop()
    while parts and not re.search(r"[^\W\d_]", name):
        name = f"{parts.pop()}-{name}"
    return name[:LONGEST].strip(" .-")


def _parts(dataset: str) -> list[str]:
    """The names on the way to the dataset: bucket or server, folders, and its own without suffix."""
    local = local_path(dataset)
    if local is not None:
        path = Path(unquote(local) if scheme(dataset) == "file" else local).expanduser().absolute()
        parts = path.resolve().parts[1:] if path.exists() else path.parts[1:]
        is_file = not path.is_dir()
        is_pattern = is_glob(dataset) and not path.exists()
    else:
        address = without_credentials(dataset)
        parts = PurePosixPath(address.partition("://")[2]).parts
        if is_web(address):
            parts = (urlsplit(address).hostname or "", *PurePosixPath(unquote(urlsplit(address).path)).parts[1:])
        is_pattern = is_glob(address)
        one_photo = has_suffix(address, PHOTO_SUFFIXES)  # and no slash behind it
        is_file = len(parts) > 1 and (
            is_web(address) or is_pattern or one_photo or has_suffix(parts[-1], _FILE_SUFFIXES)
        )
    *above, last = parts or ("",)
    last = _stem(last) if is_file else last
    return [*above, _WILDCARDS.sub("", last) if is_pattern else last]


_FILE_SUFFIXES = (*ARCHIVE_SUFFIXES, *LIST_SUFFIXES)


def _stem(name: str) -> str:
    """The name without its suffix, and without the one before that of a compressed file."""
    path = PurePosixPath(name)
    return PurePosixPath(path.stem).stem if path.suffix.lower() in _COMPRESSED else path.stem


def _usual(part: str) -> str:
    return _UNUSUAL.sub("-", part).strip(" .-_")
