"""Label photos by a pattern over their names.

The pattern is of RE2, whose time grows with a name's length only: a pattern of Python's own can
take for ever.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from meanface.dataset.refs import PhotoRef
from meanface.errors import SettingsError

GROUP = "label"
_BATCH = 4096


def with_pattern(photos: Iterable[PhotoRef], pattern: str) -> Iterator[PhotoRef]:
    """Label photos by the group `label` of a pattern that is found in their names; empty where it is not.

    Raises `SettingsError` for a pattern that is none.

    >>> refs = [PhotoRef("Ada_Lovelace_0001.jpg", 9), PhotoRef("cat.jpg", 9)]
    >>> [ref.label for ref in with_pattern(refs, "(?P<label>[^/]+)_[0-9]+[.]jpg$")]
    ['Ada_Lovelace', '']
    """
    _labels([], pattern)  # an invalid pattern is refused before the dataset is listed
    return _labelled(iter(photos), pattern)


def _labelled(photos: Iterator[PhotoRef], pattern: str) -> Iterator[PhotoRef]:
    while batch := list(islice(photos, _BATCH)):
        names = [unicodedata.normalize("NFC", photo.name) for photo in batch]
        for photo, label in zip(batch, _labels(names, pattern), strict=True):
            yield photo._replace(label=unicodedata.normalize("NFC", label or "").strip())


def _labels(names: list[str], pattern: str) -> list[str | None]:
    try:
        found = pc.extract_regex(pa.array(names, pa.large_string()), unicodedata.normalize("NFC", pattern))
    except pa.ArrowException as invalid:
        raise SettingsError(f"label_pattern={pattern!r} is no regular expression of RE2: {invalid}") from None
    if found.type.get_field_index(GROUP) < 0:
        raise SettingsError(f"label_pattern={pattern!r} has no group (?P<{GROUP}>...)")
    return [row and row[GROUP] for row in found.to_pylist()]
