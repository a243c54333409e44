"""Where schedules run: a Valkey, a storage and proxies for each, over photos that all of them share."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import fsspec

from faults import collection
from faults.driver import Script
from faults.kinds import Ground, Kind
from faults.outcome import Bits
from faults.place import Place
from faults.processes import Driver
from faults.proxy import Proxy
from faults.smalldisk import SmallDisk
from faults.valkey import Valkey

PHOTOS, PARTITION_SIZE, PARTITIONS, CHUNK = 210, 70, 5, 24
"""photos; most of a partition, and so how many of these there are; most of a chunk"""
PATIENCE = 2.0
"""seconds; the chart has 300, and a test does not wait so long to see that it ends"""


@dataclass(frozen=True)
class Quiet:
    """What the run that nothing disturbs leaves, and the I/O steps of its stages."""

    bits: Bits
    steps: dict[str, int]


class Fields:
    """Opens a ground for each schedule.

    Parameters
    ----------
    folder
        an empty one
    driver
        that runs the stages
    disk
        for the storage
    s3_port
        of a server that speaks S3, which fsspec is configured for
    """

    def __init__(self, folder: Path, driver: Driver, disk: SmallDisk, s3_port: int) -> None:
        self._folder, self._driver, self._disk, self._s3_port = folder, driver, disk, s3_port
        self._photos = collection.make(folder / "photos", PHOTOS, crash=100)

    @cached_property
    def _photos_in_s3(self) -> str:
        fs = fsspec.filesystem("s3", use_listings_cache=False)
        for bucket in ("photos", "storage"):
            fs.mkdir(bucket)
        fs.put(f"{self._photos}/", "photos/", recursive=True)
        return "s3://photos"

    def possible(self, kind: Kind) -> bool:
        """Whether a kind of fault can be had on this machine."""
        return kind.needs != "mount" or self._disk.mounted

    def quiet(self) -> Quiet:
        """Run without any fault."""
        with self.open(0, []) as ground:
            ended = {name: ground.place.stage(name) for name in ground.place.stages}
            assert not any(each.code for each in ended.values()), ended
            return Quiet(ground.place.bits(), {name: each.steps for name, each in ended.items()})

    @contextmanager
    def open(self, seed: int, kinds: list[Kind]) -> Iterator[Ground]:
        """A ground for some kinds of faults; the seed begins its random numbers."""
        random = Random(f"ground {seed}")
        in_s3 = any(kind.needs == "s3" for kind in kinds)
        copy = self._photos_in_s3 if in_s3 else ""
        folder = self._disk.folder / "storage"
        with ExitStack() as stack:
            valkey = stack.enter_context(Valkey(self._folder / "valkey"))
            stack.callback(shutil.rmtree, self._folder / "valkey")
            redis = stack.enter_context(Proxy(valkey.port))
            s3 = stack.enter_context(Proxy(self._s3_port)) if in_s3 else None
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            place = Place(
                driver=self._driver,
                valkey=valkey,
                photos=random.choice([copy, str(self._photos)]) if in_s3 else str(self._photos),
                storage=f"s3://storage/{seed}" if in_s3 else str(folder),
                partitions=PARTITIONS,
                partition_size=PARTITION_SIZE,
                script=Script(folders=[str(folder), str(self._photos)], chunk=CHUNK),
                redis_port=redis.port,
                patience=PATIENCE,
                environment=_s3_at(s3.port) if s3 else {},
            )
            photo = random.choice(sorted(self._photos.glob("*/*.jpg")))
            yield Ground(place, redis, s3, self._disk, random, photo)


def _s3_at(port: int) -> dict[str, str]:
    """The stages' way to S3: s3fs asks five times, and its client once each time."""
    return {
        "FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "FSSPEC_S3": json.dumps({"config_kwargs": {"retries": {"max_attempts": 0}}}),
    } | {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
