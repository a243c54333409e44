"""The ledger: the outcome of every photo, one row per photo and face, in Parquet.

A partition's ledger is a sequence of chunks of at most `CHUNK_PHOTOS` photos (see
`meanface.ledger.partitioning`), each an atomic file. A chunk names its recipe and photos; one that does not
match is not used. Embeddings are stored as computed, so that exact sums can be rebuilt, and a chunk
serves every run with the same recipe and photos.

If pixels are kept, a chunk has the sum of its faces' chips: in the Parquet metadata, so that rows
and sum are written together, and other readers of Parquet see a plain table. Its extreme faces have
thumbnails, in a column.
"""

from __future__ import annotations

import base64
import binascii
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from meanface.dataset.refs import PhotoRef
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.faces import Box, Face
from meanface.embedder.orientation import UPRIGHT
from meanface.embedder.result import PhotoResult
from meanface.errors import DamagedRecord
from meanface.ledger.manifest import contents
from meanface.ledger.thumbnails import extreme
from meanface.outcome import Outcome
from meanface.stats.chip_sum import ChipSum
from meanface.stats.exact_sum import MOST_DIMENSIONS
from meanface.storage.checksum import check_parquet, seal_parquet
from meanface.storage.parquet import list_size, read_table

CHUNK_PHOTOS = 512
"""at most, half as many on average: the most that a killed process loses"""


@cache
def columns(dimensions: int) -> pa.Schema:
    """The columns of a ledger with embeddings of this dimension."""
    return pa.schema(
        [
            pa.field("position", pa.int64(), nullable=False),
            pa.field("photo", pa.string(), nullable=False),
            pa.field("label", pa.string()),
            pa.field("bytes", pa.int64(), nullable=False),
            pa.field("sha256", pa.binary(32)),
            pa.field("outcome", pa.string(), nullable=False),
            pa.field("detail", pa.string(), nullable=False),
            pa.field("orientation", pa.int8()),
            pa.field("faces_found", pa.int32(), nullable=False),
            pa.field("left_out_min_face", pa.int32(), nullable=False),
            pa.field("left_out_min_score", pa.int32(), nullable=False),
            pa.field("face", pa.int32()),
            *(pa.field(edge, pa.int32()) for edge in Box._fields),
            pa.field("score", pa.float64()),
            pa.field("embedding", pa.list_(pa.float32(), dimensions)),
            pa.field("thumbnail", pa.binary()),
        ]
    )


COLUMNS = columns(DIMENSIONS)
"""of a ledger of dlib's embeddings"""

_COMPUTED_BY = b"meanface.computed_by"
_DETECTOR = b"meanface.detector"
_CHIPS = b"meanface.chips"
_COUNTS = TypeAdapter(dict[str, NonNegativeInt])


@dataclass(frozen=True)
class ChunkKey:
    """Recipe and photos of a chunk."""

    recipe: str
    photos: str
    """`meanface.ledger.manifest.contents` of the photos"""

    @classmethod
    def of(cls, recipe: str, photos: Sequence[PhotoRef]) -> ChunkKey:
        """Make the key of a chunk of these photos."""
        return cls(recipe, contents(photos))

    def metadata(self) -> dict[bytes, bytes]:
        """Return the key as metadata of the Parquet file."""
        return {b"meanface.recipe": self.recipe.encode(), b"meanface.photos": self.photos.encode()}


@dataclass(frozen=True)
class Chunk:
    """A chunk as a table of `columns`; photos in the manifest's order, faces in the detector's."""

    table: pa.Table
    computed_by: Mapping[str, int] = field(default_factory=dict)
    """another run -> photos whose rows were taken from its ledger"""
    chips: ChipSum | None = None
    """sum of the faces' chips; None if pixels are not kept"""
    detector: str = ""
    """`meanface.embedder.detector.detector_name`; several are joined by `or`"""

    @classmethod
    def of(  # noqa: PLR0913 - a caller needs four
        cls,
        start: int,
        photos: Sequence[PhotoRef],
        results: Sequence[PhotoResult],
        labels: Sequence[str | None],
        chips: ChipSum | None = None,
        detector: str = "",
        *,
        dimensions: int = DIMENSIONS,
    ) -> Chunk:
        """Make the rows of photos: one for each chosen face, one for a photo without.

        `start` is the first photo's position in the run; positions tell photos of one name apart.
        ValueError for an embedding of another dimension.
        """
        ended = zip(itertools.count(start), photos, results, labels)
        rows = [(*photo, face) for photo in ended for face in photo[2].faces or (None,)]
        content = {
            "position": [position for position, *_ in rows],
            "photo": [photo.name for _, photo, *_ in rows],
            "label": [label for *_, label, _ in rows],
            "bytes": [photo.size for _, photo, *_ in rows],
            "sha256": [result.sha256 for _, _, result, *_ in rows],
            "outcome": [result.outcome.value for _, _, result, *_ in rows],
            "detail": [result.detail for _, _, result, *_ in rows],
            "orientation": [result.orientation for _, _, result, *_ in rows],
            "faces_found": [result.faces_found for _, _, result, *_ in rows],
            "left_out_min_face": [result.left_out.min_face for _, _, result, *_ in rows],
            "left_out_min_score": [result.left_out.min_score for _, _, result, *_ in rows],
            "face": [face and face.index for *_, face in rows],
            **{edge: [face and getattr(face.box, edge) for *_, face in rows] for edge in Box._fields},
            "score": [face and face.score for *_, face in rows],
            "embedding": _embedding_column([face for *_, face in rows], dimensions),
            "thumbnail": [face and face.thumbnail for *_, face in rows],
        }
        return cls(pa.table(content, schema=columns(dimensions)), chips=chips, detector=detector)

    def to_parquet(self, key: ChunkKey) -> bytes:
        """Return a sealed Parquet file."""
        output = io.BytesIO()
        by = {_COMPUTED_BY: json.dumps(self.computed_by).encode(), _DETECTOR: self.detector.encode()}
        table = self.table.replace_schema_metadata(key.metadata() | by)
        with pq.ParquetWriter(output, table.schema, compression="zstd", use_dictionary=["label", "outcome"]) as writer:
            writer.write_table(table)
            if self.chips is not None:  # not in the schema's metadata, which the file has twice
                writer.add_key_value_metadata({_CHIPS: base64.b64encode(self.chips.to_bytes())})
        return seal_parquet(output.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes, key: ChunkKey | None = None) -> Chunk:
        """Parse a chunk; `DamagedRecord` if it is damaged, or has other columns or another key."""
        check_parquet(data, "ledger chunk")
        table, metadata = read_table(data, "ledger chunk")
        dimensions = _dimensions(table.schema)
        if not (dimensions and table.schema.equals(columns(dimensions), check_metadata=False)):
            raise DamagedRecord(f"ledger chunk has other columns: {', '.join(table.column_names)}")
        found = table.schema.metadata or {}
        if key is not None and any(found.get(name) != value for name, value in key.metadata().items()):
            raise DamagedRecord("ledger chunk is of other photos or settings")
        detector = found.get(_DETECTOR, b"").decode(errors="replace")
        return cls(table, _computed_by(found.get(_COMPUTED_BY)), _chips(metadata.get(_CHIPS)), detector)

    def taken(self, start: int, run: str) -> Chunk:
        """Return a chunk of `run` as another run's; there, its first photo is at `start`."""
        from_others = sum(self.computed_by.values())
        positions = np.arange(start, start + len(self.photos()))
        by = Counter(self.computed_by) + Counter({run: len(positions) - from_others})
        return replace(self.at(positions), computed_by=by)

    def part(self, positions: NDArray[np.int64], run: str, chips: ChipSum | None) -> Chunk:
        """Return some photos of a chunk of `run`, as a part of another run's chunk.

        Parameters
        ----------
        positions
            of each photo in the other run, in order; negative for one to leave out
        chips
            sum of their faces' chips; None if pixels are not kept
        """
        by = {run: int((positions >= 0).sum())}
        part = replace(self.at(positions), computed_by=by, chips=chips)
        return part if chips is not None else part.without_pixels()

    def at(self, positions: NDArray[np.int64]) -> Chunk:
        """Return the photos at other positions, without those whose position is negative."""
        here = self.table["position"].to_numpy()
        moved = positions[here - here[0]]
        index = self.table.schema.get_field_index("position")
        table = self.table.set_column(index, self.table.schema.field(index), pa.array(moved))
        return replace(self, table=table.filter(pa.array(moved >= 0)))

    @classmethod
    def joined(cls, parts: Sequence[Chunk]) -> Chunk:
        """Join disjoint parts by position; the chip sum is None unless all parts have one."""
        tables = [part.table.replace_schema_metadata(None) for part in parts]
        chips = [part.chips for part in parts if part.chips is not None]
        return cls(
            pa.concat_tables(tables).sort_by("position").combine_chunks(),
            sum((Counter(part.computed_by) for part in parts), Counter()),
            sum(chips, ChipSum.zero()) if len(chips) == len(parts) else None,
            " or ".join(sorted({name for part in parts for name in part.detector.split(" or ")})),
        )

    def without_pixels(self) -> Chunk:
        """Return the chunk without its chip sum and thumbnails."""
        return replace(self._with_thumbnails(pa.nulls(len(self.table), pa.binary())), chips=None)

    def with_extreme_thumbnails(self) -> Chunk:
        """Return the chunk with the thumbnails of its extreme faces only."""
        marks = np.zeros(len(self.table), bool)
        marks[self.table["embedding"].is_valid().to_numpy()] = extreme(self.embeddings())
        return self._with_thumbnails(pc.if_else(pa.array(marks), self.table["thumbnail"], None))

    def _with_thumbnails(self, column: pa.Array | pa.ChunkedArray) -> Chunk:
        index = self.table.schema.get_field_index("thumbnail")
        return replace(self, table=self.table.set_column(index, COLUMNS.field("thumbnail"), column))

    @property
    def dimensions(self) -> int:
        """Components of an embedding."""
        return _dimensions(self.table.schema)

    def embeddings(self) -> NDArray[np.float32]:
        """Return the embeddings, float32[faces, d], in the order of the rows."""
        column = self.table["embedding"].drop_null().combine_chunks()
        flat: NDArray[np.float32] = column.flatten().to_numpy()
        return flat.reshape(-1, self.dimensions)

    def face_labels(self) -> list[str | None]:
        """Return the label of each embedding's photo."""
        faces = self.table.filter(self.table["embedding"].is_valid())
        labels: list[str | None] = faces["label"].to_pylist()
        return labels

    def photos(self) -> pa.Table:
        """Return the table with one row per photo."""
        positions = self.table["position"].to_numpy()
        return self.table.filter(pa.array(np.diff(positions, prepend=-1) != 0))

    def hashes(self) -> tuple[NDArray[np.int64], list[bytes]]:
        """Return position and SHA-256 of every photo that was read."""
        photos = self.photos()
        hashed = photos.filter(photos["sha256"].is_valid())
        return hashed["position"].to_numpy(), hashed["sha256"].to_pylist()

    def outcomes(self) -> Counter[Outcome]:
        """Count the photos by outcome."""
        return Counter(map(Outcome, self.photos()["outcome"].to_pylist()))

    def counts(self) -> Counter[str]:
        """Count faces found and left out, and photos turned (`meanface.ledger.commit.COUNTS`)."""
        photos = self.photos()
        columns = ("faces_found", "left_out_min_face", "left_out_min_score")
        counts = Counter({name: pc.sum(photos[name]).as_py() or 0 for name in columns})
        left = counts["faces_found"] - counts["left_out_min_face"] - counts["left_out_min_score"]
        counts["left_out_policy"] = left - (len(self.table) - self.table["face"].null_count)
        turned = photos.filter(pc.greater(photos["orientation"], UPRIGHT))
        counts["turned"] = len(turned)
        counts["turned_without_face"] = turned["outcome"].to_pylist().count(Outcome.NO_FACE.value)
        return counts

    def failures(self) -> Iterator[tuple[str, Outcome, str]]:
        """Yield name, outcome and detail of every failed photo."""
        columns = (self.photos()[name].to_pylist() for name in ("photo", "outcome", "detail"))
        for photo, outcome, detail in zip(*columns, strict=True):
            if Outcome(outcome).failed:
                yield photo, Outcome(outcome), detail


def _computed_by(text: bytes | None) -> dict[str, int]:
    try:
        return _COUNTS.validate_json(text or b"{}")
    except ValidationError:
        raise DamagedRecord("ledger chunk has invalid names or counts of other runs") from None


def _chips(encoded: bytes | None) -> ChipSum | None:
    if encoded is None:
        return None
    try:
        return ChipSum.from_bytes(base64.b64decode(encoded, validate=True))
    except binascii.Error as damage:
        raise DamagedRecord(f"chip sum is not base64: {damage}") from None


def _dimensions(schema: pa.Schema) -> int:
    """Components of the embeddings in a table; 0 if it has none, or too many."""
    size = list_size(schema, "embedding")
    return size if size <= MOST_DIMENSIONS else 0


def _embedding_column(faces: Sequence[Face | None], dimensions: int) -> pa.Array:
    """Make a column with the embedding of each face, null for None."""
    absent = np.array([face is None for face in faces], dtype=bool)
    values = np.zeros((len(faces), dimensions), np.float32)
    for row, face in zip(values, faces, strict=True):
        if face is not None:
            if face.embedding.shape != row.shape:
                raise ValueError(f"an embedding of {len(face.embedding)} dimensions in a ledger of {dimensions}")
            row[:] = face.embedding
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dimensions, mask=pa.array(absent))
