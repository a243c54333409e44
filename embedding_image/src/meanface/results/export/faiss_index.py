"""Export to a FAISS index of all faces, which finds nearest neighbours exactly, and a table of their names."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meanface.errors import Conflict, DamagedRecord, SettingsError
from meanface.results.export.exported import Exported
from meanface.results.export.faces import dimension, faces
from meanface.results.export.parquet import foreign, place
from meanface.results.reader import Result
from meanface.storage.files import Storage
from meanface.storage.own_parquet import own_metadata, own_parquet

NAMES = ".names.parquet"
"""behind the index's name: `number`, `photo`, `label`, `face`, `id` of each of its vectors"""
_INDEX, _EARLIER, _RECIPE = b"meanface.index", b"meanface.earlier_index", b"meanface.recipe"


def to_faiss(result: Result, target: str) -> list[Exported]:
    """Write `target` (an `IndexIDMap2` over an `IndexFlatL2`) and its names to `target` + `NAMES`.

    The number of a vector is the first 63 bits of its face's identifier, so that faces keep theirs in a later export:
    it removes the vectors that are gone, and adds the new ones. Index and names are in memory meanwhile.
    """
    faiss = _faiss()
    folder, name = place(target)
    index, known, earlier = _earlier(faiss, folder, name, result)
    names: list[pa.Table] = []
    current = dict[int, bytes]()
    written = 0
    for table in faces(result):
        ids = table["id"].to_pylist()
        numbers = [int.from_bytes(one[:8], "big") >> 1 for one in ids]
        fresh = []
        for row, (number, one) in enumerate(zip(numbers, ids, strict=True)):
            if current.setdefault(number, one) != one:
                raise DamagedRecord(f"two faces of {result.files.url} have the number {number}: export to another kind")
            if number not in known:
                known.add(number)
                fresh.append(row)
        if fresh:
            rows = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
            index.add_with_ids(np.ascontiguousarray(rows[fresh]), np.array(numbers, np.int64)[fresh])
        written += len(fresh)
        names.append(table.select(["photo", "label", "face", "id"]).add_column(0, "number", pa.array(numbers)))
    gone = known - current.keys()
    if gone:
        index.remove_ids(np.fromiter(gone, np.int64, len(gone)))
    if written or gone or not folder.exists(name):
        _write(faiss.serialize_index(index).tobytes(), earlier, folder, name, names, result)
    return [Exported("faces", index.ntotal, written, len(gone))]


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise SettingsError(
            "an index of FAISS needs a package that is not installed: pip install 'meanface[faiss]'"
        ) from None
    return faiss


def _earlier(faiss: Any, folder: Storage, name: str, result: Result) -> tuple[Any, set[int], bytes]:
    """The index of an earlier export, or an empty one, the numbers in it, and its SHA-256 in hexadecimal."""
    metadata = _names_metadata(folder, f"{name}{NAMES}")
    if not folder.kind(name):
        return faiss.IndexIDMap2(faiss.IndexFlatL2(dimension(result))), set(), b""
    data = folder.read(name)
    digest = _sha256(data)
    if digest not in (metadata.get(_INDEX), metadata.get(_EARLIER)):
        raise Conflict(
            f"{folder.url}/{name} is no export of meanface, or {NAMES} beside it is missing or of another export; "
            "it is not replaced: give another name, or remove both"
        )
    if metadata.get(_RECIPE) != result.summary.recipe.encode():
        raise Conflict(
            f"{folder.url}/{name} is an export of another recipe, whose embeddings do not mix with these: "
            "give another name"
        )
    index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    numbers: NDArray[np.int64] = faiss.vector_to_array(index.id_map)
    return index, set(numbers.tolist()), digest


def _names_metadata(folder: Storage, name: str) -> dict[bytes, bytes]:
    """The metadata of the names of an earlier export, if there is one; `Conflict` for any other file of the name."""
    if not folder.kind(name):
        return {}
    metadata = own_metadata(folder, name)
    if _INDEX not in metadata:
        raise foreign(folder, name)
    return metadata


def _write(data: bytes, earlier: bytes, folder: Storage, name: str, names: list[pa.Table], result: Result) -> None:
    """Write the names, then the index; after a crash in between, the names tell that both are of exports."""
    metadata = {_INDEX: _sha256(data), _EARLIER: earlier, _RECIPE: result.summary.recipe.encode()}
    table = pa.concat_tables(names)
    with folder.open_output(f"{name}{NAMES}") as output, own_parquet(output, table.schema, metadata) as writer:
        writer.write_table(table)
    folder.write(name, data)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
