"""Read the results of runs and series back."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meanface.dataset.address import is_web, refuse_unchecked
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.url_photos import public_name
from meanface.errors import DamagedRecord, DatasetNotFound, SettingsError
from meanface.ledger.chunk import Chunk
from meanface.ledger.chunk_reader import chunks_of
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.results.tables import read_label_means
from meanface.stats.labels import LabelMeans
from meanface.stats.models import Statistics
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.storage.layout import LABEL_MEANS, MANIFEST, MOMENTS, RESULT, PlanFiles
from meanface.storage.record import first_error

SCHEMA = 1


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


@dataclass(frozen=True)
class Result:
    """A result and its files."""

    files: Storage
    summary: SavedSummary
    moments: Moments

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
            manifest = Manifest.from_json(self.files.read(MANIFEST))
        except FileNotFoundError:
            raise DamagedRecord(f"{self.files.url} has no {MANIFEST}, and so no ledger") from None
        yield from chunks_of(PlanFiles(self.files, manifest.plan), manifest.partitions)

    def label_means(self) -> LabelMeans | None:
        """Read the means by label; None if there are none.

        Raises `DamagedRecord` for a table that is damaged, or of other faces than the result.
        """
        if "label_means" not in self.summary.artifacts:
            return None
        try:
            means = read_label_means(self.files.read(LABEL_MEANS), f"{self.files.url}/{LABEL_MEANS}")
        except FileNotFoundError:
            return None
        if (faces := int(means.faces.sum())) != self.summary.faces:
            raise DamagedRecord(
                f"{self.files.url}/{LABEL_MEANS} is of {faces:,} faces, the result of {self.summary.faces:,}"
            )
        return means


def _exact(npz: bytes, what: str) -> Moments:
    try:
        with np.load(io.BytesIO(npz), allow_pickle=False) as arrays:
            return Moments.from_bytes(arrays["exact"].tobytes())
    except (ValueError, KeyError, TypeError, EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as damage:
        raise DamagedRecord(f"{what} cannot be read: {damage}") from None
    except DamagedRecord as damage:
        raise DamagedRecord(f"{what}: {damage}") from None
