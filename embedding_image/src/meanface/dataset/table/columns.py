"""Find the columns of a table that hold addresses, names and labels. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from meanface.dataset.address import is_web
from meanface.dataset.photos import printable
from meanface.dataset.url_photos import public_name
from meanface.errors import SettingsError

_URLS = ("url", "imageurl", "imgurl", "photourl", "pictureurl", "uri", "src", "link")
_PATHS = (
    *("image", "img", "photo", "picture", "path", "imagepath", "imgpath", "photopath"),
    *("filename", "filepath", "imagefile", "imagefilename", "file"),
)
ADDRESSES = (*_URLS, *_PATHS)
"""names of columns of addresses or paths without case, blanks, `_` and `-`; the best one first"""
FILES = ("filename", "filepath", "path", *_PATHS, *_URLS)
"""the same for a table of the files beside it, which may also say where they came from"""
LABELS = ("label", "labels", "person", "identity", "class", "classname")
"""the same for columns of labels"""
NAMED = 30
"""columns that an error names"""


class ColumnNames(NamedTuple):
    """The columns that the settings name; None for those to be found."""

    url: str | None = None
    name: str | None = None
    label: str | None = None
    labelled: bool = False
    """whether labels are wanted: without the name of a column, one of `LABELS` is used"""


NO_COLUMNS = ColumnNames()


class Columns(NamedTuple):
    """The columns of a table that are read."""

    url: str
    name: str | None = None
    label: str | None = None

    @property
    def used(self) -> list[str]:
        """The names of the columns, each once."""
        return list(dict.fromkeys(column for column in self if column is not None))


Choose = Callable[[Sequence[str]], Columns]
"""chooses among the names of a table's columns; raises `SettingsError`"""


def address_column(columns: Iterable[str], wanted: ColumnNames) -> str | None:
    """The column of addresses or paths; None if there is none.

    >>> address_column(["name", "index", "image", "url"], ColumnNames())
    'url'
    >>> address_column(["Image URL", "person"], ColumnNames()), address_column(["id"], ColumnNames())
    ('Image URL', None)
    """
    return _found(list(columns), wanted.url, ADDRESSES)


def label_column(columns: Sequence[str], wanted: ColumnNames) -> str | None:
    """The column of labels; None if there is none."""
    return _found(columns, wanted.label, LABELS)


def choose(columns: Sequence[str], wanted: ColumnNames, what: str, known: Sequence[str] = ADDRESSES) -> Columns:
    """Choose the columns of the list `what`; `SettingsError` names a missing one and those that exist."""
    url = _found(columns, wanted.url, known)
    if url is None:
        raise SettingsError(f"{what} has {_missing(wanted.url, 'url_column')}{_existing(columns)}{_hint(columns)}")
    name = label = None
    if wanted.name is not None:
        name = _found(columns, wanted.name, ())
        if name is None:
            raise SettingsError(f"{what} has no column {wanted.name!r} (name_column){_existing(columns)}")
    if wanted.labelled:
        label = label_column(columns, wanted)
        if label is None:
            raise SettingsError(f"{what} has {_missing(wanted.label, 'label_column')}{_existing(columns)}")
    chosen = Columns(url, name, label)
    for column in chosen.used:
        if columns.count(column) > 1:
            raise SettingsError(f"{what} has {columns.count(column)} columns {column!r}: rename all but one")
    return chosen


def _found(columns: Sequence[str], name: str | None, known: Sequence[str]) -> str | None:
    """The column of this name, in the same spelling if possible, or the first one of the known names."""
    if name in columns:
        return name
    plain = {_plain(column): column for column in reversed(columns)}
    wanted = known if name is None else [_plain(name)]
    return next((plain[one] for one in wanted if one in plain), None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.strip().lower() if letter not in " _-")


def _missing(name: str | None, option: str) -> str:
    if name is not None:
        return f"no column {name!r} ({option})"
    like = "'url', 'image_url', 'path', 'file_name'" if option == "url_column" else "'label', 'person', 'identity'"
    return f"no column {like} or the like (name one by {option})"


def _existing(columns: Sequence[str]) -> str:
    # A list without a header has an address there, perhaps with a password.
    names = [repr(public_name(printable(name)[0])[:100]) for name in columns[:NAMED]]
    more = f" and {len(columns) - NAMED:,} more" if len(columns) > NAMED else ""
    return f"; its columns are: {', '.join(names) or 'none'}{more}"


def _hint(columns: Sequence[str]) -> str:
    """Advice about a list whose first line is no header."""
    first = columns[0].strip() if columns else ""
    return ". Put a line `url` before its first address, or name the file .txt" if is_web(first) else ""
