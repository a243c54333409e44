"""References of the photos that a list names: by addresses, or by paths below the list's folder."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import unicodedata
from typing import NamedTuple

from meanface.dataset.address import scheme
from meanface.dataset.folder_photos import inside, not_a_file
from meanface.dataset.photos import PhotoUnreadable, printable, reason
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.dataset.table.lines import DamagedList
from meanface.dataset.table.rows import Row
from meanface.dataset.url_photos import public_name, refusal_of
from meanface.storage.version import of_stat

LONGEST_NAME = 4096
"""characters of a name from a column"""
LONGEST_LABEL = 1000
"""characters; a longer one is a text, and a hundred thousand of them may be in memory"""


class ListFolder(NamedTuple):
    """The folder of a local list, whose paths are relative to it and may not lead out of it."""

    root: str
    """links followed"""
    given: str = ""
    """as the dataset's address has it, absolute"""
    below: str = ""
    """the list's own folder below the root; empty for the root itself"""


def ref_of(row: Row, number: str, folder: ListFolder | None = None) -> PhotoRef:
    """Make the reference of a row; `number` names a row without an address.

    The name of an address has no credentials, query or fragment (see `public_name`). Lists from
    elsewhere, which have no folder, cannot make this machine read its own files.
    """
    address = row.address.strip()
    if folder is not None and address and not (scheme(address) or "::" in address or address.startswith("data:")):
        ref = _local_ref(address, folder)
    else:
        ref = _remote_ref(address, number)
    return with_columns(ref, row)


def with_columns(ref: PhotoRef, row: Row) -> PhotoRef:
    """Give a reference the name and the label of its row, if the row has them."""
    label = label_text(row.label)
    if not row.name.strip():
        return ref._replace(label=label)
    name, refusal = printable(row.name.strip())
    if len(name) > LONGEST_NAME:
        name, refusal = _shortened(name), f"its name has {len(name):,} characters"
    refusal = ref.refusal or refusal
    source = "" if refusal else ref.source or ref.name
    return ref._replace(name=name, source=source, refusal=refusal, version="" if refusal else ref.version, label=label)


def label_text(label: str) -> str:
    """A label as it is used: in NFC, Unicode's composed form, without blanks around it.

    Raises `DamagedList` for a label that is none: other bytes than UTF-8, or a long text.
    """
    shown, refusal = printable(label.strip())
    if refusal:
        raise DamagedList(f"the label {shown[:60]!r} is not UTF-8: save the list as UTF-8 (Excel: CSV UTF-8)")
    label = unicodedata.normalize("NFC", shown)
    if len(label) > LONGEST_LABEL:
        raise DamagedList(f"a label has more than {LONGEST_LABEL:,} characters: {label[:60]!r}...; name another column")
    return label


def _remote_ref(address: str, number: str) -> PhotoRef:
    url, refusal = printable(address)
    name = public_name(url) or number
    refusal = refusal_of(url) or refusal
    source = "" if refusal or url == name else url  # a million addresses are not held twice
    return PhotoRef(name, UNKNOWN_SIZE, source=source, refusal=refusal)


def _local_ref(path: str, folder: ListFolder) -> PhotoRef:
    name, refusal = _name_of(path, folder)
    if refusal:
        return PhotoRef(name, 0, refusal=refusal)
    try:
        found = os.stat(inside(folder.root, f"{folder.root}/{name}", "copy the photo into the list's folder"))  # noqa: PTH116 - links are followed already
    except PhotoUnreadable as refused:
        return PhotoRef(name, 0, refusal=str(refused))
    except FileNotFoundError:
        return PhotoRef(name, 0, refusal="no such file in the list's folder; an address begins with https:// or s3://")
    except OSError as error:
        return PhotoRef(name, 0, refusal=f"cannot be read: {reason(error)}")
    refusal = not_a_file(found.st_mode)
    return PhotoRef(name, found.st_size, refusal=refusal, version="" if refusal else of_stat(found))


def _name_of(path: str, folder: ListFolder) -> tuple[str, str]:
    """The photo's name below the folder; or the path as it can be shown, and why it is refused."""
    name, refusal = printable(path)
    if refusal or "\0" in name:
        return name.replace("\0", "\\0"), refusal or "its path contains a NUL character"
    if len(name) > LONGEST_NAME:
        return _shortened(name), f"its path has {len(name):,} characters"
    relative = next((path[len(root) :] for root in _roots(folder) if path.startswith(root)), path)
    if "\\" in relative and not os.path.lexists(posixpath.join(folder.root, folder.below, relative)):
        relative = relative.replace("\\", "/")  # as Windows writes it
    if re.match("[A-Za-z]:/", relative):
        return name, "a path of a Windows drive: keep the list beside the photos, and write paths from there (p/a.jpg)"
    if posixpath.isabs(relative) or ".." in relative.split("/"):
        return name, "its path leads out of the list's folder: keep the list in a folder above the photos"
    below = "" if path.startswith(tuple(_roots(folder))) else folder.below
    return _as_spelled(folder.root, posixpath.normpath(posixpath.join(below, relative))), ""


def _as_spelled(root: str, name: str) -> str:
    """The name in the form of Unicode that the file has: programs on a Mac write another one than Excel."""
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return next((form for form in forms if os.path.lexists(f"{root}/{form}")), name)


def _shortened(name: str) -> str:
    return f"{name[:100]}...#{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _roots(folder: ListFolder) -> list[str]:
    return [f"{root.rstrip('/')}/" for root in (folder.root, folder.given) if root]
