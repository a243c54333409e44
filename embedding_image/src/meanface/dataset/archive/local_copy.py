"""Open a dataset that is a single file as a local file: the file itself, or a copy."""

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
def local_file(address: str, network_policy: NetworkPolicy) -> Iterator[Path]:
    """The local file at an address, or a downloaded copy that exists as long as the block."""
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


def verify(file: RawFile, expected: str | None, url: str) -> str:
    """The checksum of a file as algorithm:hex, by the expected algorithm or else SHA-256.

    The file is rewound. Raises `ChecksumMismatch` if the checksum is not the expected one.
    """
    algorithm = expected.partition(":")[0] if expected else "sha256"
    running = hashlib.new(algorithm, usedforsecurity=False)  # md5 guards against damage here, not against malice
    while chunk := file.read(1 << 20):
        running.update(chunk)
    file.seek(0)
    found = f"{algorithm}:{running.hexdigest()}"
    if expected and found != expected:
        raise ChecksumMismatch(
            f"the archive {url!r} has the checksum {found}, but {expected} was expected: "
            "it is another file, or was damaged on its way"
        )
    return found


@contextmanager
def open_raw(path: Path, url: str) -> Iterator[RawFile]:
    """Open the local file of a dataset; its own errors are not taken for damage of the archive."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise DatasetNotFound(f"dataset {url!r} cannot be read: {reason(error)}") from error
    with file:
        yield RawFile(file, url)
