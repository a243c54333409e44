"""Read the results of runs and series back."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meanface.dataset.address import is_web, refuse_unchecked
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.url_photos import public_name
from meanface.embedder.faces import Box
from meanface.errors import DamagedRecord, DatasetNotFound, SettingsError, UsageError
from meanface.ledger.chunk import COLUMNS, Chunk
from meanface.ledger.chunk_reader import chunks_of
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.results.card import card
from meanface.results.tables import read_label_means
from meanface.results.templates import Template, parse_templates
from meanface.stats.labels import LabelMeans
from meanface.stats.models import Statistics
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.storage.layout import LABEL_MEANS, MANIFEST, MEAN_FACE, MOMENTS, RESULT, PlanFiles
from meanface.storage.record import first_error

SCHEMA = 1

FACE_COLUMNS = ("photo", "face", "box", "score", "label", "embedding")
"""of `Result.embeddings`"""


class SavedSummary(BaseModel):
    """The fields of `result.json`, of a run or a series, that comparisons use."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(alias="schema", ge=SCHEMA, le=SCHEMA)
    run: str | None = None
    series: Any = None
    photos: int
    outcomes: dict[Outcome, int]
    photos_with_face: int
    faces: int
    mean: list[float]
    recipe: str
    fingerprint: str | None = None
    """None for a series"""
    settings: dict[str, Any] = {}
    versions: dict[str, str] = {}
    artifacts: dict[str, str] = {}
    statistics: Statistics | None = None


@dataclass(frozen=True, repr=False)
class Result:
    """The result of a run or a series, as `meanface.run` and `meanface.open` return it.

    In a notebook it shows itself: the mean face and the figures.

    Examples
    --------
    >>> import meanface, tempfile
    >>> result = meanface.run("sample", tempfile.mkdtemp(), labels="parent_folder", progress=False)
    >>> print(result)
    Result(6 faces in 6 of 7 photos)
    >>> result.embeddings().column_names
    ['photo', 'face', 'box', 'score', 'label', 'embedding']
    """

    files: Storage
    """the folder or bucket prefix, for reading other files of the result"""
    summary: SavedSummary
    """the fields of `result.json`, see docs/results.md"""
    moments: Moments
    """count, exact sums and second moments of the embeddings: `covariance()`, `standard_error()`"""

    @property
    def mean(self) -> NDArray[np.float64]:
        """The exact mean of the embeddings, rounded once: float64[n], n numbers for each embedding."""
        return self.moments.mean()

    @property
    def faces(self) -> int:
        """Number of faces that count: those whose embeddings the mean is of."""
        return self.summary.faces

    @property
    def photos(self) -> int:
        """Number of photos of the dataset, whatever their outcome."""
        return self.summary.photos

    @property
    def outcomes(self) -> dict[str, int]:
        """Number of photos by outcome: `ok`, `no_face`, `several_faces`, `undecodable` and others."""
        return {outcome.value: count for outcome, count in self.summary.outcomes.items()}

    @property
    def address(self) -> str:
        """Where the result is: an absolute path or a bucket's address, without credentials."""
        return self.files.url

    def embeddings(self) -> pa.Table:
        """Read all faces from the ledger, in the order of the photos' names.

        Columns: `photo` (string), `face` (int32: index in the detector's order), `box` (struct of
        int32 top, right, bottom, left: pixels of the upright photo), `score` (float64, of the
        detector), `label` (string, or null), `embedding` (fixed-size list of float32). A million
        faces of 128 numbers take 0.6 GB.

        Raises
        ------
        DamagedRecord
            the ledger is damaged or missing, as in a series

        Examples
        --------
        >>> import meanface, tempfile
        >>> table = meanface.run("sample", tempfile.mkdtemp(), progress=False).embeddings()
        >>> table.num_rows, table["photo"][0].as_py()
        (6, 'eileen_collins/astronaut.jpg')
        """
        tables = [_faces(chunk.table) for chunk in self.chunks()]
        return pa.concat_tables(tables) if tables else _faces(COLUMNS.empty_table())

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """The template of each label: mean, number of faces and spread, by which people are recognised.

        Raises
        ------
        UsageError
            the result has no labels, too many of them, or is of an earlier release
        DamagedRecord
            the table is missing or damaged

        Examples
        --------
        >>> import meanface, tempfile
        >>> result = meanface.run("sample", tempfile.mkdtemp(), labels="parent_folder", progress=False)
        >>> tesla = result.templates["nikola_tesla"]
        >>> tesla.faces, tesla.mean.shape, round(tesla.largest_distance, 2)
        (2, (128,), 0.26)
        """
        means = self.label_means()
        if means is None:
            reason = self.summary.statistics and self.summary.statistics.missing.get("labels")
            raise UsageError(f"{self.files.url} has no templates: {reason or 'it is not a run with labels'}")
        return parse_templates(self.files.read(LABEL_MEANS), means, f"{self.files.url}/{LABEL_MEANS}")

    def __repr__(self) -> str:
        summary = self.summary
        return f"Result({summary.faces:,} faces in {summary.photos_with_face:,} of {summary.photos:,} photos)"

    def _repr_html_(self) -> str:
        """Show the mean face and the figures in a notebook."""
        summary = self.summary
        dataset = str(summary.settings.get("dataset", "")).splitlines()
        rows = {
            "dataset": ", ".join(dataset),
            "faces": f"{summary.faces:,} in {summary.photos_with_face:,} of {summary.photos:,} photos",
            **{outcome: f"{count:,}" for outcome, count in self.outcomes.items() if count},
            "mean": f"[{', '.join(f'{component:+.4f}' for component in summary.mean[:4])}, ...]",
            "files": self.address,
        }
        return card({name: value for name, value in rows.items() if value}, self._mean_face())

    def _mean_face(self) -> bytes | None:
        """The PNG of the mean face; None if pixels were not kept."""
        try:
            return self.files.read(MEAN_FACE)
        except FileNotFoundError:
            return None

    @classmethod
    def at(cls, address: str, network_policy: NetworkPolicy = PUBLIC) -> Result:
        """Read a result at the absolute path or address of its folder, or of `result.json` in it.

        Raises `SettingsError` for an http(s) address, and one that the policy does not allow,
        `DatasetNotFound` if there is no result, and `DamagedRecord` if it cannot be read, or its
        mean is not that of its moments.
        """
        if is_web(address):
            raise SettingsError(
                f"result {public_name(address)!r}: a result is read from a folder or a bucket, not by http(s)"
            )
        refuse_unchecked(address, network_policy, "result")
        files = Storage(address.rstrip("/").removesuffix(f"/{RESULT}"))
        try:
            text, moments = files.read(RESULT), files.read(MOMENTS)
        except FileNotFoundError as missing:
            raise DatasetNotFound(
                f"{files.url} holds no result: {missing}; name the folder that reduce, or run, wrote to"
            ) from None
        try:
            summary = SavedSummary.model_validate_json(text)
        except ValidationError as invalid:
            raise DamagedRecord(f"{files.url}/{RESULT}: {first_error(invalid)}") from None
        exact = _exact(moments, f"{files.url}/{MOMENTS}")
        if exact.count != summary.faces or exact.mean().tolist() != summary.mean:
            raise DamagedRecord(f"{files.url}: {MOMENTS} does not match the mean in {RESULT}")
        return cls(files, summary, exact)

    def chunks(self) -> Iterator[Chunk]:
        """Stream the ledger; `DamagedRecord` if it is damaged, or missing as in a series."""
        try:
            manifest = Manifest.from_json(self.files.read(self._manifest()))
        except FileNotFoundError:
            raise DamagedRecord(f"{self.files.url} has no {MANIFEST}, and so no ledger") from None
        yield from chunks_of(PlanFiles(self.files, manifest.plan), manifest.partitions)

    def _manifest(self) -> str:
        """Return the path of the result's plan: while a run is computed again, `manifest.json` is the next plan."""
        own = PlanFiles(self.files, self.summary.artifacts.get("ledger", "").rpartition("/")[2]).manifest
        return own if self.files.exists(own) else MANIFEST

    def label_means(self) -> LabelMeans | None:
        """Read the means by label; None if the result has none.

        Raises `DamagedRecord` for a table that is missing, damaged, or of other faces than the result.
        """
        if "label_means" not in self.summary.artifacts:
            return None
        where = f"{self.files.url}/{LABEL_MEANS}"
        try:
            means = read_label_means(self.files.read(LABEL_MEANS), where)
        except FileNotFoundError:
            raise DamagedRecord(
                f"{where} is missing, although the result has labels: copy the file too, or reduce the run again"
            ) from None
        if (faces := int(means.faces.sum())) != self.summary.faces:
            raise DamagedRecord(f"{where} is of {faces:,} faces, the result of {self.summary.faces:,}")
        return means


def _faces(rows: pa.Table) -> pa.Table:
    """The faces among a ledger's rows, with the columns of `Result.embeddings`."""
    found = rows.filter(rows["embedding"].is_valid()).combine_chunks()
    edges = [found[edge].combine_chunks() for edge in Box._fields]
    boxes = pa.StructArray.from_arrays(edges, names=list(Box._fields))
    columns = {name: boxes if name == "box" else found[name] for name in FACE_COLUMNS}
    return pa.table(columns)


def _exact(npz: bytes, what: str) -> Moments:
    try:
        with np.load(io.BytesIO(npz), allow_pickle=False) as arrays:
            return Moments.from_bytes(arrays["exact"].tobytes())
    except (ValueError, KeyError, TypeError, EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as damage:
        raise DamagedRecord(f"{what} cannot be read: {damage}") from None
    except DamagedRecord as damage:
        raise DamagedRecord(f"{what}: {damage}") from None
