"""What a stage reads and writes, for OpenLineage.

OpenLineage's provider asks operators for it when a task starts and ends, if it is installed and
configured. Without it nothing here is called, and OpenLineage is never imported.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow.sdk.exceptions import AirflowException
from redis import RedisError

from meanface_airflow.connection import redis_url
from meanface_airflow.records import RecordError, RunRecords
from meanface_airflow.settings import settings

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

NAMESPACE = "meanface"
"""of datasets without an address: `sample` and `lfw`"""
MOST_INPUTS = 100
"""of a run with several datasets; an event with more would be large"""
REDIS_SECONDS = 3.0
"""OpenLineage gives a task 10 seconds for its event"""

_SAME = {"s3a": "s3", "gcs": "gs"}
_AZURE = ("az", "abfs", "abfss")


@dataclass(frozen=True)
class Dataset:
    """Something that a stage reads or writes, under OpenLineage's name for it."""

    namespace: str
    name: str
    rows: int | None = None
    files: int | None = None
    version: str | None = None


@dataclass(frozen=True)
class StageData:
    """What a stage reads and writes, and its figures by their names in `result.json`."""

    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


def dataset(address: str, account: str = "") -> Dataset:
    """Name an address by OpenLineage's rules; `account` is Azure's, for `az://` without one.

    >>> dataset("s3://photos/2026/01/"), dataset("gcs://photos")
    (Dataset(namespace='s3://photos', name='2026/01', ...), Dataset(namespace='gs://photos', name='/', ...))
    >>> dataset("az://photos/2026/", "acme")
    Dataset(namespace='abfss://photos@acme.dfs.core.windows.net', name='2026', ...)
    >>> dataset("file:///my%20photos/"), dataset("sample")
    (Dataset(namespace='file', name='/my photos', ...), Dataset(namespace='meanface', name='sample', ...))
    """
    scheme, separator, rest = address.partition("://")
    if not separator or scheme.lower() in ("file", "local"):
        path = unquote(rest) if separator else address
        if not path.startswith("/"):
            return Dataset(NAMESPACE, path)
        return Dataset("file", path.rstrip("/") or "/")
    scheme = _SAME.get(scheme.lower(), scheme.lower())
    place, _, path = rest.partition("/")
    if scheme in ("http", "https"):
        path = path.partition("?")[0].partition("#")[0]
    if scheme in _AZURE:
        container, _, host = place.partition("@")
        account = host.partition(".")[0] or account
        namespace = f"abfss://{container}@{account}.dfs.core.windows.net" if account else f"az://{container}"
    else:
        namespace = f"{scheme}://{place.rpartition('@')[2]}"
    return Dataset(namespace, path.strip("/") or "/")


def photos(manifest: Mapping[str, Any], account: str = "") -> tuple[Dataset, ...]:
    """The photos of a plan: one dataset, or the first of several.

    The version is the digest of all names, sizes and versions.
    """
    source = manifest["source"]
    urls = [part["source"]["url"] for part in source.get("parts", ())] or [source["url"]]
    return tuple(replace(dataset(url, account), version=manifest["digest"]) for url in urls[:MOST_INPUTS])


def requested(addresses: str, account: str = "") -> tuple[Dataset, ...]:
    """The datasets of a request, whose dates are not filled in before it is planned.

    >>> requested("s3://a/%Y/"), requested("sample")[0].name
    ((), 'sample')
    """
    named = [line.strip() for line in addresses.splitlines() if line.strip() and "%" not in line]
    return tuple(dataset(address, account) for address in named[:MOST_INPUTS])


def stage_data(words: Sequence[str], storage: str, records: Mapping[str, Any], account: str = "") -> StageData:
    """What a stage reads and writes.

    Parameters
    ----------
    words
        its command line
    storage
        folder or bucket of all runs
    records
        `manifest`, and after the stage's end `progress` of its partition and `result`; those that
        exist
    account
        Azure's, for addresses without one
    """
    stage, run = words[0], option(words, "run")
    manifest, progress, result = (records.get(name) for name in ("manifest", "progress", "result"))
    folder = f"{storage.rstrip('/')}/runs/{run}"
    if manifest:
        read, of = photos(manifest, account), {name: manifest[name] for name in ("recipe", "fingerprint", "photos")}
    else:
        read, of = requested(option(words, "dataset"), account), {}
    listed, ledger = dataset(f"{folder}/manifest", account), dataset(f"{folder}/ledger", account)
    if stage == "plan":
        listed = replace(listed, rows=of.get("photos"), version=of.get("fingerprint"))
        return StageData(read, (listed,), {"run": run} | of)
    if stage == "embed":
        index = int(option(words, "partition"))
        of = {"run": run, "partition": index} | of
        if progress:
            of |= {"photos": progress["photos"], "outcomes": progress["outcomes"]}
            read = _counted(read, progress["photos"])
        return StageData((*read, listed), (ledger,), of)
    written = dataset(folder, account)
    if not result:
        return StageData((ledger,), (written,), {"run": run} | of)
    return StageData((ledger,), tuple(_results(result, account)), {"run": run} | _figures(result))


def _counted(read: tuple[Dataset, ...], rows: int) -> tuple[Dataset, ...]:
    """Photos that a stage read; of several datasets the records do not say how many of each."""
    return (replace(read[0], rows=rows),) if len(read) == 1 else read


def _results(result: Mapping[str, Any], account: str) -> list[Dataset]:
    """The folder of the result's files, and that of its series."""
    folder = dataset(result["location"], account)
    written = [replace(folder, rows=result["faces"], files=len(result["artifacts"]), version=result["fingerprint"])]
    if series := result.get("series"):
        written.append(replace(dataset(series["location"], account), rows=series["faces"]))
    return written


def _figures(result: Mapping[str, Any]) -> dict[str, Any]:
    names = ("recipe", "fingerprint", "photos", "photos_with_face", "faces", "outcomes", "artifacts")
    return {name: result[name] for name in names} | {"version": result.get("versions", {}).get("meanface", "")}


def option(words: Sequence[str], name: str) -> str:
    """Value of an option in a stage's command line; empty if it is not there.

    >>> option(["embed", "--run=one", "--partition=7"], "partition")
    '7'
    """
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{name}=")), "")


class StageLineage:
    """The methods by which OpenLineage's provider asks an operator what its task reads and writes."""

    arguments: Any

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Any, Any]:
        """Addresses only: what the stage writes is not there yet."""
        return self._lineage(ended=False)

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any]:  # noqa: ARG002  OpenLineage's signature
        """Addresses and figures."""
        return self._lineage(ended=True)

    def get_openlineage_facets_on_failure(self, task_instance: object) -> OperatorLineage[Any, Any]:  # noqa: ARG002  OpenLineage's signature
        """Addresses only, as at the start."""
        return self._lineage(ended=False)

    def _lineage(self, *, ended: bool) -> OperatorLineage[Any, Any]:
        from meanface_airflow.lineage_facets import operator_lineage

        chosen = settings()
        records = _records(self.arguments, ended=ended)
        account = chosen.env.get("AZURE_STORAGE_ACCOUNT_NAME", "")
        return operator_lineage(stage_data(self.arguments, chosen.storage, records, account))


def _records(words: Sequence[str], *, ended: bool) -> dict[str, Any]:
    """What a stage's run has in Redis; what cannot be read is left out."""
    stage, found = words[0], dict[str, Any]()
    if stage == "plan" and not ended:
        return found  # an earlier plan's
    try:
        records = RunRecords.at(redis_url(), option(words, "run"), REDIS_SECONDS)
        found["manifest"] = records.manifest()
        if ended and stage == "embed":
            found["progress"] = records.partition_progress(int(option(words, "partition")))
        elif ended and stage == "reduce":
            found["result"] = records.result()
    except (RedisError, RecordError, AirflowException) as failure:
        logging.getLogger(__name__).warning("OpenLineage gets addresses without figures: %s", failure)
    return found
