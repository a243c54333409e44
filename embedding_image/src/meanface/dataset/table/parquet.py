"""Rows of Parquet lists: addresses, or photos whose bytes are in the table, as Hugging Face datasets have them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from meanface.dataset.table.columns import Choose, ColumnNames, Columns, address_column
from meanface.dataset.table.lines import DamagedList
from meanface.dataset.table.rows import Row, text
from meanface.system import bounded, container_memory

BATCH = 1000
"""rows that are read at once"""
BUFFER = 1 << 20
"""bytes of a column that are read at once, rather than a whole row group"""
MOST_MEMORY = 1 << 28
"""bytes for reading addresses: page, dictionary and a batch are held at once"""
MOST_MEMORY_OF_PHOTOS = 1 << 32
"""bytes for reading photos, or half of the container's; a page may hold all photos of a row group"""
_ADDRESSES = ("url", "uri", "path", "link", "file", "src")
"""parts of the names of columns that hold addresses, whatever their type"""


class Image(NamedTuple):
    """A photo in a table."""

    data: bytes | None
    """None if the row has none"""
    path: str
    """the photo's name where it came from; may be empty"""
    row: Row


@contextmanager
def opened(path: Path, *, photos: bool = False) -> Iterator[Any]:
    """Open a Parquet file within bounds of memory; `DamagedList` for damage that shows in the block."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    most = min(MOST_MEMORY_OF_PHOTOS, (container_memory() or MOST_MEMORY_OF_PHOTOS * 2) // 2) if photos else MOST_MEMORY
    try:
        with bounded(most), pq.ParquetFile(path, buffer_size=BUFFER) as file:
            yield file
    except MemoryError:
        smaller = "fewer rows in a row group" if photos else "smaller pages and dictionaries"
        raise DamagedList(f"reading it takes more than {most >> 20} MiB of memory: write it with {smaller}") from None
    except (pa.ArrowException, OSError, ValueError) as damaged:
        if isinstance(damaged, OSError) and damaged.errno:  # of the system, not of the file
            raise
        raise DamagedList(str(damaged)) from damaged


def image_column(path: Path, wanted: ColumnNames) -> str | None:
    """The column with photos' bytes: binary, or a struct with the field `bytes`; None without one.

    Raises `DamagedList`.
    """
    with opened(path) as file:
        schema = file.schema_arrow
        kinds = {field.name: field.type for field in schema}
        holding = [name for name, kind in kinds.items() if _holds_photos(name, kind)]
        if wanted.url is not None:
            found = address_column(schema.names, wanted)
            return found if found in holding else None
        structs = [name for name in holding if _struct_with_bytes(kinds[name])]
        return address_column(holding, wanted) or next(iter(structs), None)


def _holds_photos(name: str, kind: Any) -> bool:
    from pyarrow import types

    binary = types.is_binary(kind) or types.is_large_binary(kind)
    return _struct_with_bytes(kind) or (binary and not any(part in name.lower() for part in _ADDRESSES))


def _struct_with_bytes(kind: Any) -> bool:
    from pyarrow import types

    if not types.is_struct(kind):
        return False
    fields = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
    return "bytes" in fields and (types.is_binary(fields["bytes"]) or types.is_large_binary(fields["bytes"]))


def address_rows(path: Path, choose: Choose) -> Iterator[Row]:
    """Rows of a table of addresses or paths; raises `DamagedList`."""
    import pyarrow as pa

    with opened(path) as file:
        columns = choose(file.schema_arrow.names)
        classes = class_names(file.schema_arrow, columns.label)
        for batch in file.iter_batches(batch_size=BATCH, columns=columns.used, use_threads=False):
            urls = batch.column(columns.url).cast(pa.string()).to_pylist()
            names, labels = _texts(batch, columns.name, ()), _texts(batch, columns.label, classes)
            for url, name, label in zip(urls, names, labels, strict=True):
                yield Row(url or "", name, label)


def image_rows(path: Path, image: str, choose: Choose) -> Iterator[Image]:
    """Photos of a table; raises `DamagedList`."""
    with opened(path, photos=True) as file:
        columns: Columns = choose(file.schema_arrow.names)._replace(url=image)
        classes = class_names(file.schema_arrow, columns.label)
        for batch in file.iter_batches(batch_size=1, columns=columns.used, use_threads=False):
            cells = batch.column(image).to_pylist()
            names, labels = _texts(batch, columns.name, ()), _texts(batch, columns.label, classes)
            for cell, name, label in zip(cells, names, labels, strict=True):
                fields = cell if isinstance(cell, dict) else {"bytes": cell}
                yield Image(fields.get("bytes"), _text(fields.get("path")), Row("", name, label))


def _texts(batch: Any, column: str | None, classes: Sequence[str]) -> list[str]:
    """The values of a column as texts; numbers of classes as their names, and -1, which is no class, as nothing."""
    if column is None:
        return [""] * batch.num_rows
    values = batch.column(column).to_pylist()
    if not classes:
        return [_text(value) for value in values]
    return [_class(value, classes) for value in values]


def _class(value: object, classes: Sequence[str]) -> str:
    if isinstance(value, int) and 0 <= value < len(classes):
        return classes[value]
    return "" if value == -1 else _text(value)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    return text(value) if value is None or isinstance(value, (str, int, float)) else str(value)


def class_names(schema: Any, column: str | None) -> tuple[str, ...]:
    """The names of a label's classes in a Hugging Face schema (a `ClassLabel`); empty without them.

    Source: https://huggingface.co/docs/datasets/package_reference/main_classes#datasets.ClassLabel
    """
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
        if all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()
