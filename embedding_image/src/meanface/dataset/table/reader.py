"""Read the photos of one file of a list."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from meanface.dataset.archive.shards import ShardWriter
from meanface.dataset.content import UNKNOWN, identify
from meanface.dataset.photos import printable
from meanface.dataset.refs import PhotoRef
from meanface.dataset.scratch import scratch
from meanface.dataset.table import lines, parquet, rows
from meanface.dataset.table.columns import FILES, Choose, ColumnNames, Columns, choose
from meanface.dataset.table.form import Form, form_of
from meanface.dataset.table.lines import LONGEST_ROW, DamagedList, Lines, decompressed, unpacked
from meanface.dataset.table.references import ListFolder, ref_of, with_columns
from meanface.dataset.table.rows import Row
from meanface.errors import DamagedArchive, SettingsError

ROW_BYTES = 64
"""memory of a photo beside its name"""
_TEXTS = {"a text", UNKNOWN, "an empty file", "a JSON text, perhaps a server's error message"}
"""contents that may be a list with other columns"""


class ListPart(NamedTuple):
    """One file of a list."""

    name: str
    """its own name, or the one below the root of several files"""
    what: str
    """names it in messages"""
    folder: ListFolder | None
    """of a local list"""
    number: str
    """the name of a row without an address, up to its number"""

    @property
    def form(self) -> Form:
        """Its form, by its name."""
        return form_of(self.name)


class ListReader:
    """Reads the files of a list one after the other.

    Photos in a table go to `shards`; one of more than `max_bytes` is listed, but not stored.
    """

    def __init__(self, wanted: ColumnNames, shards: ShardWriter, max_bytes: int) -> None:
        self._wanted, self._shards, self._max_bytes = wanted, shards, max_bytes
        self.warnings: dict[str, None] = {}
        """in order, each once"""
        self.kinds: set[bool] = set()
        """whether photos are in the tables, of all files so far"""

    def refs(self, path: Path, part: ListPart) -> Iterator[PhotoRef]:
        """The photos of a local file; raises `DamagedList`, `DamagedArchive` or `SettingsError`."""
        if part.form != "Parquet":
            self._count(part, in_table=False)
            yield from _named(text_rows(path, part.form, part.what, self._wanted, self._chooser(part)), path, part)
            return
        with _scratch_file() as file:
            path = unpacked(path, file)
            image = parquet.image_column(path, self._wanted)
            self._count(part, in_table=image is not None)
            if image is None:
                yield from _named(parquet.address_rows(path, self._chooser(part)), path, part)
            else:
                yield from self._stored(path, image, part)

    def _count(self, part: ListPart, *, in_table: bool) -> None:
        self.kinds.add(in_table)
        if len(self.kinds) > 1:
            raise SettingsError(f"{part.what} differs from the other tables: some hold photos, and some addresses")

    def _stored(self, path: Path, image: str, part: ListPart) -> Iterator[PhotoRef]:
        """The photos of a table, stored in shards."""
        left = _most(path)
        for number, found in enumerate(parquet.image_rows(path, image, self._chooser(part, image))):
            data = found.data or b""
            left -= len(data) + ROW_BYTES
            if left < 0:
                raise DamagedList(lines.bomb())
            own = with_columns(PhotoRef(_name_in_table(part.name, number, found.path), len(data)), found.row)
            if own.refusal or not data or len(data) > self._max_bytes:
                refusal = own.refusal or ("" if data else "its row has no bytes")
                yield own._replace(source="", refusal=refusal)
            else:
                yield self._shards.add(own.name, len(data), io.BytesIO(data))._replace(label=own.label)

    def _chooser(self, part: ListPart, image: str | None = None) -> Choose:
        """What chooses the columns of a file, and notes a column that is not used."""
        wanted = self._wanted if image is None else self._wanted._replace(url=image)

        def chosen(columns: Sequence[str]) -> Columns:
            found = choose(columns, wanted, part.what)
            if "name" in columns and "name" not in found:
                own = "URL" if image is None else "row"
                self.warnings[f"the list's column 'name' is not used: a photo's name is its {own}"] = None
            return found

        return chosen


def read_rows(path: Path, name: str, what: str, wanted: ColumnNames) -> Iterator[Row]:
    """The rows of a table of the files beside it, whose form is that of its name.

    Raises `DamagedList`, `DamagedArchive` or `SettingsError`.
    """

    def chosen(columns: Sequence[str]) -> Columns:
        return choose(columns, wanted, what, FILES)

    form = form_of(name)
    return parquet.address_rows(path, chosen) if form == "Parquet" else text_rows(path, form, what, wanted, chosen)


def text_rows(path: Path, form: Form, what: str, wanted: ColumnNames, choose: Choose) -> Iterator[Row]:
    """The rows of a text list; a file of another kind is refused by the name of its kind."""
    with decompressed(path) as stream:
        text = Lines(stream, path.stat().st_size)

        def chosen(columns: Sequence[str]) -> Columns:
            try:
                return choose(columns)
            except SettingsError:
                content = identify(text.start)
                if content.name not in _TEXTS:
                    raise DamagedArchive(f"{what} is not {form}, but {content}") from None
                raise

        if form == "JSON Lines":
            yield from rows.json_rows(text, chosen)
        elif form == "text":
            yield from rows.plain_rows(text, chosen)
        else:
            yield from rows.separated_rows(text, wanted, chosen, tabs=form == "TSV")


def _named(found: Iterator[Row], path: Path, part: ListPart) -> Iterator[PhotoRef]:
    """The photos that rows name; in Parquet, a million rows may share one value of a dictionary."""
    left = _most(path)
    for number, row in enumerate(found, start=1):
        left -= sum(map(len, row)) + ROW_BYTES
        if any(len(value) > LONGEST_ROW for value in row):
            raise DamagedList(f"a row has more than {LONGEST_ROW:,} characters")
        if left < 0:
            raise DamagedList(lines.bomb())
        yield ref_of(row, f"{part.number} {number}", part.folder)


def _most(path: Path) -> int:
    return lines.BOMB_RATIO * path.stat().st_size + lines.BOMB_BYTES


def _name_in_table(file: str, row: int, path: str) -> str:
    """A photo's name: its table, its row, and its own file name.

    >>> _name_in_table("train.parquet", 12, "people/ann.jpg"), _name_in_table("train.parquet", 0, "")
    ('train.parquet/00000012-ann.jpg', 'train.parquet/00000000')
    """
    own = re.split(r"[/\\]", printable(path)[0].replace("\0", ""))[-1][-100:]
    return f"{printable(file)[0]}/{row:08d}{f'-{own}' if own else ''}"


@contextmanager
def _scratch_file() -> Iterator[Path]:
    with scratch():
        folder = tempfile.TemporaryDirectory(prefix="meanface-")
    with folder as name:
        yield Path(name, "unpacked")
