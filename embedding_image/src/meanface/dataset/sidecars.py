"""Labels in the files beside photos in a tar or zip, as WebDataset has them: `a.cls`, `a.txt`, `a.json` for `a.jpg`."""

from __future__ import annotations

import json
from collections.abc import Callable

from meanface.dataset.label_spool import LabelSpool
from meanface.dataset.refs import PhotoRef
from meanface.dataset.table.columns import ColumnNames, label_column
from meanface.dataset.table.lines import DamagedList
from meanface.dataset.table.references import label_text
from meanface.dataset.table.rows import text
from meanface.errors import DamagedArchive

LARGEST = 1 << 20
"""bytes of a file with a label that are read"""
_TEXTS = ("cls", "txt")
_JSON, _CLASS, _NAMED = range(3)
"""ranks: a file that the setting names counts before `.cls`, and that before a field of `.json`"""


class Sidecars:
    """Collects the labels of an archive's photos; does nothing if no labels are wanted."""

    def __init__(self, labels: LabelSpool, wanted: ColumnNames) -> None:
        self._labels, self._wanted = labels, wanted

    def look(self, name: str, size: int, read: Callable[[], bytes]) -> None:
        """Note the label in a file, if it has one; `read` returns the file's bytes."""
        if not self._wanted.labelled or size > LARGEST:
            return
        key, suffix = key_and_suffix(name)
        rank = self._rank(suffix)
        if rank is None:
            return
        data = read()
        found = _field(data, self._wanted) if rank == _JSON else data.decode("utf-8-sig", errors="surrogateescape")
        if found is None:
            return
        try:
            self._labels.add(key, label_text(found), rank)
        except DamagedList as damage:
            raise DamagedArchive(f"{name!r}: {damage}") from damage

    def labelled(self, photo: PhotoRef) -> PhotoRef:
        """The photo with its label."""
        return (
            photo._replace(label=self._labels.take(key_and_suffix(photo.name)[0])) if self._wanted.labelled else photo
        )

    def _rank(self, suffix: str) -> int | None:
        """The rank of a file with this suffix; None for one without a label."""
        if suffix in _TEXTS and suffix == (self._wanted.label or "").lower():
            return _NAMED
        if suffix == "json":
            return _JSON
        return _CLASS if suffix == "cls" and self._wanted.label is None else None


def key_and_suffix(name: str) -> tuple[str, str]:
    """What the files of one photo have in common, and the rest, as WebDataset cuts names: at the first dot.

    >>> key_and_suffix("s-0.tar/people/0001.JPG"), key_and_suffix("0001.seg.png")
    (('s-0.tar/people/0001', 'jpg'), ('0001', 'seg.png'))
    """
    folder, slash, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return f"{folder}{slash}{stem}", suffix.lower()


def _field(data: bytes, wanted: ColumnNames) -> str | None:
    """The label in a JSON object; None if it has none."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return None
    column = label_column(list(record), wanted) if isinstance(record, dict) else None
    return None if column is None else text(record[column])
