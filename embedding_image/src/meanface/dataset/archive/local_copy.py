"""A dataset that is one file, as a local file: the file itself, or a copy of it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meanface.dataset.address import local_path
from meanface.dataset.archive.raw import RawFile
from meanface.dataset.http.download import download
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import reason
from meanface.dataset.scratch import scratch
from meanface.errors import ChecksumMismatch, DatasetNotFound


@contextmanager
def fetched(address: str, network_policy: NetworkPolicy) -> Iterator[Path]:
    """A local file with what is at the address: the file itself, or a copy that lives as long as the block."""
    local = local_path(address)
    if local is not None:
        yield Path(local)
        return
    with scratch():
        folder = tempfile.TemporaryDirectory(prefix="meanface-")
    with folder as name:
        path = Path(name, "download")
        download(address, path, network_policy)
        yield path


def size_of(path: Path, shown: str) -> int:
    """Bytes of a local file."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise DatasetNotFound(f"dataset {shown!r} cannot be read: {reason(error)}") from error


def verified(path: Path, expected: str | None, shown: str) -> str:
    """Checksum of a file, as algorithm:hex: of the expected algorithm, or sha256.

    Raises
    ------
    ChecksumMismatch
        it is not the expected one
    """
    algorithm = expected.partition(":")[0] if expected else "sha256"
    with open_raw(path, shown) as file:
        running = hashlib.new(algorithm, usedforsecurity=False)  # md5 guards against damage here, not against malice
        while chunk := file.read(1 << 20):
            running.update(chunk)
    found = f"{algorithm}:{running.hexdigest()}"
    if expected and found != expected:
        raise ChecksumMismatch(
            f"the archive {shown!r} has the checksum {found}, but {expected} was expected: "
            "it is another file, or was damaged on its way"
        )
    return found


@contextmanager
def open_raw(path: Path, shown: str) -> Iterator[RawFile]:
    """A local file, whose own troubles are not taken for damage of what it holds."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DatasetNotFound(f"dataset {shown!r} cannot be read: {reason(error)}") from error
    with file:
        yield RawFile(file, shown)
