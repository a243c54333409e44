"""meanface, and what people use instead, over the same photos: photos per second and core, start-up, memory.

Each round runs every contender once over few photos and once over many, one after the other, so that a slow minute of
the machine hits all alike; ratios are taken within a round. Every contender is held to its number of processors, with
all its processes. Who is slow gets a tenth of the photos, evenly from all.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ROOT
from benchmarks.measure import FEW, Measured, Pair, measured, spread
from benchmarks.photos import files, written
from benchmarks.table import Goal, show
from meanface.embedder.detector import usable_kernels
from meanface.system import available_cpus

OTHERS = ROOT / ".cache/bench"
"""environments of contenders that need packages of their own; `make bench-others` creates them"""

RIVALS_SHARE = 10
"""who is slow gets one of so many photos"""

WHOLE_PHOTO = {"avx512": 10.0, "avx2": 8.0}
"""how many times `face_recognition`'s rate on one core is the goal"""

WITH_START = 2_000, 9.0
"""the goal with start-up, of so many photos"""


@dataclass(frozen=True)
class Contender:
    """Who embeds a folder of photos."""

    name: str
    command: Callable[[Path], list[str]]
    """for a folder"""
    cpus: int = 1
    slow: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, folder: Path) -> Measured:
        """Measure it over a folder."""
        return measured(self.command(folder), self.environment, self.cpus)


def compare(dataset: str, photos: int, rounds: int) -> list[Goal]:
    """Measure all contenders, print what was found, and tell the goals that hang on it."""
    print(f"\n{photos:,} photos of {dataset}, {photos // RIVALS_SHARE:,} for the slow; {rounds} rounds", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {
            count: written(Path(scratch, str(count)), files(dataset, count))
            for count in (FEW, photos // RIVALS_SHARE, photos)
        }
        contenders = [*_rivals(folders[FEW]), *_ours(Path(scratch, "results"))]
        found: dict[str, list[Pair]] = {contender.name: [] for contender in contenders}
        for number in range(rounds):
            for contender in contenders:
                count = photos // RIVALS_SHARE if contender.slow else photos
                few, many = (contender.run(folders[size]) for size in (FEW, count))
                found[contender.name].append(Pair(few, many, count))
            print(f"  round {number + 1} is done", file=sys.stderr, flush=True)
    _show(contenders, found)
    return _goals(found)


BASELINE = "face_recognition, 1 process"
NULL = "meanface, null embedder, 1 core"


def ours(kernels: str, cpus: int) -> str:
    """What `meanface run` on so many cores is called."""
    return f"meanface {kernels}, {cpus} core{'s' * (cpus > 1)}"


def _ours(results: Path) -> list[Contender]:
    def command(module: str) -> Callable[[Path], list[str]]:
        def run(folder: Path) -> list[str]:
            shutil.rmtree(results, ignore_errors=True)  # what is there is not computed again
            return [sys.executable, "-m", module, "run", str(folder), "--output", str(results)]

        return run

    run = command("meanface")
    best, *others = usable_kernels() or ["dlib"]
    return [
        *(Contender(ours(best, cpus), run, cpus) for cpus in scales()),
        *(Contender(ours(other, 1), run, environment={"MEANFACE_DETECTOR": other}) for other in others),
        Contender(NULL, command("benchmarks.null_embedder")),
    ]


def scales() -> list[int]:
    """Numbers of cores from one to all, doubling."""
    every = available_cpus()
    return [*(1 << bit for bit in range(every.bit_length()) if 1 << bit < every), every]


def _rivals(known: Path) -> list[Contender]:
    """Who can be measured here; says who cannot, and why."""
    every = available_cpus()

    def loop(name: str, python: Path | str = sys.executable) -> Callable[[Path], list[str]]:
        return lambda folder: [str(python), str(ROOT / f"benchmarks/loops/{name}.py"), str(folder)]

    command = str(Path(sys.executable).with_name("face_recognition"))
    rivals = [
        Contender(BASELINE, loop("face_recognition_loop"), slow=True),
        Contender(
            f"face_recognition --cpus {every}",
            lambda folder: [command, str(known), str(folder), "--cpus", str(every)],
            every,
            slow=True,
        ),
        Contender(f"multiprocessing.Pool({every})", loop("multiprocessing_pool"), every, slow=True),
    ]
    for name, environment, script in (
        ("DeepFace, Dlib, 1 process", "deepface", "deepface_loop"),
        ("face_recognition, dlib from source, OpenBLAS", "openblas", "face_recognition_loop"),
    ):
        python = OTHERS / environment / "bin/python"
        if (OTHERS / environment / ".ready").exists():
            told = {"DEEPFACE_HOME": str(OTHERS / environment), "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
            rivals.append(Contender(name, loop(script, python), slow=True, environment=told))
        else:
            print(f"  left out: {name}; {python.parents[1]} is not there, `make bench-others` creates it")
    return rivals


def _show(contenders: Sequence[Contender], found: dict[str, list[Pair]]) -> None:
    baseline = found[BASELINE]

    def row(contender: Contender) -> tuple[str, ...]:
        pairs = found[contender.name]
        per_core = [pair.rate / contender.cpus for pair in pairs]
        ratio = [one / other.rate for one, other in zip(per_core, baseline, strict=True)]
        own, *started = (max(peaks) for peaks in zip(*(_two(pair.many.peaks) for pair in pairs), strict=True))
        return (
            contender.name,
            spread([pair.rate for pair in pairs]),
            f"{statistics.median(per_core):,.1f}",
            spread(ratio),
            f"{statistics.median(pair.start for pair in pairs):.1f}",
            f"{own / 1e6:,.0f}",
            f"{started[0] / 1e6:,.0f}",
        )

    head = ("contender", "photos/s", "per core", "ratio per core", "start, s", "peak MB", "of a child")
    show("medians (least-most); without start-up", head, map(row, contenders))
    rates = {cpus: [pair.rate for pair in found[ours(_best(), cpus)]] for cpus in scales()}
    scaling = {
        cpus: [many / one for many, one in zip(rate, rates[1], strict=True)] for cpus, rate in rates.items() if cpus > 1
    }
    show(
        "scaling of meanface",
        ("cores", "times one core"),
        [(str(cpus), spread(times, 2)) for cpus, times in scaling.items()],
    )


def _goals(found: dict[str, list[Pair]]) -> list[Goal]:
    def median(of: Callable[[Pair, Pair], float], name: str, other: str) -> float:
        return statistics.median(map(of, found[name], found[other]))

    goals, best = [], ours(_best(), 1)
    for kernels in usable_kernels():
        ratio = median(lambda own, other: own.rate / other.rate, ours(kernels, 1), BASELINE)
        what = f"whole photo, {kernels}, times face_recognition per core"
        goals.append(Goal(what, ratio, WHOLE_PHOTO[kernels], "x"))
    photos, bound = WITH_START
    ratio = median(lambda own, other: other.seconds(photos) / own.seconds(photos), best, BASELINE)
    goals.append(Goal(f"{photos:,} photos, {_best()}, start-up included", ratio, bound, "x"))
    two = ours(_best(), 2)
    if two in found:
        ratio = median(lambda own, other: own.rate / other.rate, two, best)
        goals.append(Goal("two cores, times one", ratio, 1.9, "x"))
    worker = max(_two(pair.many.peaks)[1] for pair in found[best])
    goals.append(Goal("peak memory of a worker process", worker / 1e6, 350, " MB", at_most=True))
    ratio = median(lambda own, other: own.rate / other.rate, NULL, best)
    goals.append(Goal("reading and hand-over, times the embedder, one core", ratio, 10, "x"))
    return goals


def _two(peaks: Sequence[int]) -> tuple[int, int]:
    """The most memory of a command's own process, and of the largest that it started."""
    return peaks[0], max(peaks[1:], default=0)


def _best() -> str:
    return (usable_kernels() or ["dlib"])[0]
