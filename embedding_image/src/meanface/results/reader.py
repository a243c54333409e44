"""Results that runs and series have left, read back from where they lie."""

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
from meanface.ledger.manifest import Manifest
from meanface.ledger.reader import chunks_of
from meanface.outcome import Outcome
from meanface.results.tables import read_label_means
from meanface.stats.labels import LabelMeans
from meanface.stats.models import Statistics
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.storage.layout import MANIFEST, plan_files

SCHEMA = 1


class SavedSummary(BaseModel):
    """As much of a `result.json`, of a run or a series, as other results can be held against."""

    model_config = ConfigDict(frozen=True, extra="ignore")

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
    """none for a series"""
    settings: dict[str, Any] = {}
    versions: dict[str, str] = {}
    artifacts: dict[str, str] = {}
    statistics: Statistics | None = None


@dataclass(frozen=True)
class SavedResult:
    """A result and its files."""

    files: Storage
    summary: SavedSummary
    moments: Moments

    @classmethod
    def at(cls, address: str, network_policy: NetworkPolicy = PUBLIC) -> SavedResult:
        """The result in a folder (its whole path) or a bucket; its `result.json` may be named, too.

        Parameters
        ----------
        address
            of it
        reach
            whether other file systems, which connect to any host, may be asked

        Raises
        ------
        SettingsError
            for addresses behind http(s), and those that `reach` does not allow
        DatasetNotFound
            where there is none
        DamagedRecord
            for a result that this program cannot read, or whose mean is not that of its moments
        """
        if is_web(address):
            raise SettingsError(
                f"result {public_name(address)!r}: a result is read from a folder or a bucket, not by http(s)"
            )
        refuse_unchecked(address, network_policy, "result")
        files = Storage(address.rstrip("/").removesuffix("/result.json"))
        try:
            text, moments = files.read("result.json"), files.read("moments.npz")
        except FileNotFoundError as missing:
            raise DatasetNotFound(
                f"{files.url} holds no result: {missing}; name the folder that reduce, or run, wrote to"
            ) from None
        try:
            summary = SavedSummary.model_validate_json(text)
        except ValidationError as invalid:
            first = invalid.errors()[0]
            where = ".".join(map(str, first["loc"])) or "text"
            raise DamagedRecord(f"{files.url}/result.json: {where}: {first['msg']}") from None
        exact = _exact(moments, f"{files.url}/moments.npz")
        if exact.count != summary.faces or exact.mean().tolist() != summary.mean:
            raise DamagedRecord(f"{files.url}: moments.npz is not of the mean that result.json tells")
        return cls(files, summary, exact)

    def chunks(self) -> Iterator[Chunk]:
        """The ledger, streamed.

        Raises
        ------
        DamagedRecord
            where there is none, as of a series, or a chunk is gone or damaged
        """
        try:
            manifest = Manifest.from_json(self.files.read(MANIFEST))
        except FileNotFoundError:
            raise DamagedRecord(f"{self.files.url} has no manifest.json, and so no ledger") from None
        yield from chunks_of(plan_files(self.files, manifest.folder), manifest.partitions)

    def label_means(self) -> LabelMeans | None:
        """Means by label; None where the run made none, or they are not beside it any more.

        Raises
        ------
        DamagedRecord
            for a table that is damaged, or not of the result's faces
        """
        if "label_means" not in self.summary.artifacts:
            return None
        name = "label_means.parquet"
        try:
            means = read_label_means(self.files.read(name), f"{self.files.url}/{name}")
        except FileNotFoundError:
            return None
        if (faces := int(means.faces.sum())) != self.summary.faces:
            raise DamagedRecord(f"{self.files.url}/{name} is of {faces:,} faces, the result of {self.summary.faces:,}")
        return means


def _exact(npz: bytes, what: str) -> Moments:
    try:
        with np.load(io.BytesIO(npz), allow_pickle=False) as arrays:
            return Moments.from_bytes(arrays["exact"].tobytes())
    except (ValueError, KeyError, TypeError, EOFError, OSError, RuntimeError, zlib.error, zipfile.BadZipFile) as damage:
        raise DamagedRecord(f"{what} cannot be read: {damage}") from None
    except DamagedRecord as damage:
        raise DamagedRecord(f"{what}: {damage}") from None
