"""Runs that share a storage, over small photos of one size in bytes; for the tests of what runs have in common."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from meanface.ledger.commit import Commit
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.run import Run
from meanface.results.result import ResultRecord
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.storage.layout import files_of
from meanface.storage.marker import InSeries
from meanface.workers.pool import Workers


class Shared:
    """A storage, and runs in it, each with a store of its own."""

    def __init__(self, url: str, workers_for: Callable[[Settings], Workers]) -> None:
        self.storage, self.workers_for = Storage(url), workers_for

    def run(self, name: str) -> Run:
        return Run(name, MemoryState(name), files_of(self.storage, name), shared=self.storage)

    def workers(self, run: Run) -> Workers:
        return self.workers_for(run.manifest().settings)

    def embed(self, run: Run, *partitions: int) -> None:
        """These partitions; all if none are named."""
        for partition in partitions or range(len(run.manifest().partitions)):
            embed(run, partition, self.workers(run))

    def reduce(self, run: Run) -> ResultRecord:
        return reduce(run)

    def embedded(self, name: str, dataset: object, *, series: InSeries | None = None, **settings: object) -> Run:
        """A run that is not reduced yet."""
        run = self.run(name)
        plan(run, Settings.of(dataset=str(dataset), **{"partition_size": 2, **settings}), series)
        self.embed(run)
        return run

    def result(self, name: str, dataset: object, **options: Any) -> ResultRecord:
        """Of all three stages."""
        return self.reduce(self.embedded(name, dataset, **options))

    def elsewhere(self) -> Shared:
        """Another storage, where nothing was computed yet."""
        return Shared(f"{self.storage.url}-{uuid4().hex}", self.workers_for)


@pytest.fixture
def reused() -> Callable[[Run], list[dict[str, int]]]:
    """The reused photos by each commit of a run, in the order of partitions."""

    def read(run: Run) -> list[dict[str, int]]:
        numbers = range(len(run.manifest().partitions))
        return [Commit.from_bytes(record).head.reused for _, record in run.state.records(numbers)]

    return read


@pytest.fixture(scope="session")
def face(portrait_files: list[Path]) -> Callable[[int], bytes]:
    """A photo with a face, another one for each number, all of one size in bytes."""
    portrait = Image.open(portrait_files[0]).convert("RGB").crop((120, 80, 440, 400))

    def make(number: int) -> bytes:
        encoded = io.BytesIO()
        portrait.rotate(number).resize((160, 160)).save(encoded, "BMP")
        return encoded.getvalue()

    return make


@pytest.fixture
def new_shared(workers_for: Callable[[Settings], Workers]) -> Callable[[str], Shared]:
    return lambda url: Shared(url, workers_for)


@pytest.fixture
def shared(tmp_path: Path, new_shared: Callable[[str], Shared]) -> Shared:
    return new_shared(str(tmp_path / "storage"))


@pytest.fixture
def write() -> Callable[..., Path]:
    """Puts photos into a folder, as if at some second: clocks of file systems may be too coarse for a test."""

    def put(folder: Path, photos: dict[str, bytes], at: int = 1_000_000_000) -> Path:
        for name, data in photos.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            os.utime(path, (at, at))
        return folder

    return put


@pytest.fixture
def folder(tmp_path: Path, face: Callable[[int], bytes], write: Callable[..., Path]) -> Path:
    """Five photos with a face."""
    return write(tmp_path / "photos", {f"{number}.bmp": face(number) for number in range(5)})


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket on a server that speaks S3, and its file system."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": f"http://{host}:{port}"})
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    fs = fsspec.filesystem("s3")
    with suppress(FileExistsError):  # the server's memory is that of the process
        fs.mkdir("bucket")
    yield fs
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()
