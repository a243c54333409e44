"""What a run has left, to the bit, read without meanface's own code; and the laws that hold for it."""

from __future__ import annotations

import csv
import io
import json
import math
import struct
from collections import Counter
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from meanface.ledger.manifest import Manifest
from meanface.storage.files import Storage
from meanface.storage.layout import PlanFiles

FAILURES = {"undecodable", "too_large", "unreadable", "crashed"}


class WrongAnswer(AssertionError):
    """A run has a wrong result or outcome, or its error does not name the cause."""


@dataclass(frozen=True)
class Bits:
    """All that must be equal, whatever happens on the way."""

    mean: bytes
    """128 float64"""
    exact: bytes
    """the moments' integers"""
    outcomes: tuple[tuple[str, int], ...]
    fingerprint: str
    failures: str
    """text of failures.csv"""
    labels: bytes
    """of label_means.parquet"""
    picture: bytes
    """mean_face.png"""
    ledger: pa.Table

    def check(self, quiet: Bits) -> None:
        """Refuse any difference from the quiet run."""
        for field in fields(self):
            found, wanted = getattr(self, field.name), getattr(quiet, field.name)
            if found != wanted:
                raise WrongAnswer(f"{field.name} differs from the quiet run's: {_difference(found, wanted)}")


def bits(run: Storage, stored_result: str) -> Bits:
    """What a run has left in its files; the store must say the same.

    Raises
    ------
    WrongAnswer
        the parts contradict each other
    """
    text = run.read("result.json").decode()
    result = json.loads(text)
    if json.loads(stored_result)["mean"] != result["mean"]:
        raise WrongAnswer("the store's result is not the file's")
    with np.load(io.BytesIO(run.read("moments.npz"))) as moments:
        exact = moments["exact"].tobytes()
    manifest = json.loads(run.read("manifest.json"))
    found = Bits(
        mean=struct.pack("<128d", *result["mean"]),
        exact=exact,
        outcomes=tuple(sorted(result["outcomes"].items())),
        fingerprint=result["fingerprint"],
        failures=run.read("failures.csv").decode(),
        labels=run.read("label_means.parquet"),
        picture=run.read("mean_face.png"),
        ledger=ledger(run, result["artifacts"]["ledger"]),
    )
    _laws(found, result, manifest)
    if np.load(io.BytesIO(run.read("mean.npy"))).tobytes() != found.mean:
        raise WrongAnswer("mean.npy is not the result's mean")
    return found


def ledger(run: Storage, folder: str) -> pa.Table:
    """Read the ledger's rows, in the order of partitions."""
    return pa.concat_tables([partition_ledger(run, f"{folder}/{partition}") for partition in run.list(folder)])


def partition_ledger(run: Storage, folder: str) -> pa.Table:
    """The rows of one partition's chunks."""
    files = [run.read(f"{folder}/{name}") for name in run.list(folder)]
    tables = [pq.read_table(pa.BufferReader(file)) for file in files]
    return pa.concat_tables([table.replace_schema_metadata(None) for table in tables]).combine_chunks()


def check_committed(run: Storage, committed: set[int]) -> None:
    """Refuse a commit without a complete ledger in storage: every counted photo must be in it, at any moment."""
    manifest = Manifest.from_json(run.read("manifest.json"))
    files = PlanFiles(run, manifest.plan)
    for partition in manifest.partitions:
        number = partition.index
        if number not in committed:
            continue
        try:
            rows = partition_ledger(run, files.chunks(number))
        except (OSError, ValueError) as missing:  # of nothing, of half a file
            raise WrongAnswer(f"partition {number} is committed without its ledger: {missing}") from None
        if len(set(rows["position"].to_pylist())) != partition.photos:
            raise WrongAnswer(f"partition {number} is committed, and its ledger is not whole")


def check_but_for(found: Bits, quiet: Bits, photo: str) -> None:
    """Refuse any difference from the quiet run, but that a photo could not be read."""
    rows = [[row for row in each.ledger.to_pylist() if not row["photo"].endswith(photo)] for each in (found, quiet)]
    if rows[0] != rows[1]:
        raise WrongAnswer(f"rows of other photos than {photo} differ")
    of_photo = [row["outcome"] for row in found.ledger.to_pylist() if row["photo"].endswith(photo)]
    if of_photo != ["unreadable"]:
        found.check(quiet)


def _laws(found: Bits, result: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Every photo once; the mean is the exact one of the ledger's embeddings; counts and failures are the ledger's."""
    rows = found.ledger.to_pylist()
    photos = {row["position"]: row for row in rows}
    if list(photos) != list(range(manifest["photos"])):
        raise WrongAnswer(f"the ledger has {len(photos)} of {manifest['photos']} photos, or not in order")
    if len({(row["position"], row["face"]) for row in rows}) != len(rows):
        raise WrongAnswer("the ledger has a face twice")
    outcomes = Counter(row["outcome"] for row in photos.values())
    if outcomes != Counter({name: count for name, count in found.outcomes if count}):
        raise WrongAnswer(f"the ledger's outcomes are {outcomes}, the result's {found.outcomes}")
    vectors = [row["embedding"] for row in rows if row["embedding"] is not None]
    sums = [sum(int(math.ldexp(value, 149)) for value in column) for column in zip(*vectors, strict=True)]
    exact = [float(Fraction(total, len(vectors) << 149)) for total in sums]  # a float32 is an integer times 2^-149
    if len(vectors) != result["faces"] or struct.pack("<128d", *exact) != found.mean:
        raise WrongAnswer("the mean is not the exact one of the ledger's embeddings, rounded once")
    failures = [[row["photo"], row["outcome"], row["detail"]] for row in photos.values() if row["outcome"] in FAILURES]
    if list(csv.reader(found.failures.splitlines()))[1:] != failures:
        raise WrongAnswer("failures.csv does not name the ledger's failures")


def _difference(found: Any, wanted: Any) -> str:
    if isinstance(found, pa.Table):
        pairs = zip(found.to_pylist(), wanted.to_pylist(), strict=False)
        first = next(((a, b) for a, b in pairs if a != b), None)
        return f"{found.num_rows} rows, {wanted.num_rows} expected; first other row: {first}"
    if isinstance(found, bytes):
        return f"{len(found)} bytes, {len(wanted)} expected"
    return f"{found}, expected {wanted}"
