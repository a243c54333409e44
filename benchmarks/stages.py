"""Measure each step from photo to embedding, in meanface and `face_recognition`; the roofline.

All implementations process a photo before the next one, so that a slow minute of the machine
affects all of them, and each finds the caches as another left them. Times are the thread's
processor time. Ratios are computed photo by photo.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from typing import Any

import numpy as np

from benchmarks.float64_network import Float64Network
from benchmarks.ledgers import results
from benchmarks.onnx_network import converted, open_onnx_network
from benchmarks.photos import read_photos
from benchmarks.table import Goal, print_table
from meanface.dataset.refs import PhotoRef
from meanface.embedder import dlib_models, network
from meanface.embedder.decode import decode
from meanface.embedder.detector import Detector, open_detector, usable_kernels
from meanface.embedder.detector.cnn import DlibCnnDetector, NativeCnnDetector
from meanface.embedder.embedder import CHIP_PADDING
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.landmarks import DlibLandmarks, NativeLandmarks
from meanface.embedder.result import PhotoResult
from meanface.ledger.chunk import CHUNK_PHOTOS, Chunk, ChunkKey
from meanface.ledger.thumbnails import jpeg
from meanface.settings import Settings
from meanface.stats.chip_sum import CHIP_SIZE, Chip, ChipSum
from meanface.stats.moments import Moments

DETECTOR = {"avx512": 7.0, "avx2": 6.0}
"""the goals, as multiples of dlib's rate"""

CNN_DETECTOR = 4.0
"""the goal, as a multiple of dlib's rate"""

CNN_PHOTOS = 8
"""photos that the CNN detectors search: dlib's takes seconds for one"""

PYRAMID = 4 * 36 / 11
"""pixels in all pyramid levels per pixel of the photo: each side doubled, then 5/6 of the level
before"""

CHIPS_AT_ONCE = 16
"""chips of one call; with more, no network is faster"""

CHIPS_COMPARED = 64
"""chips that are also embedded in float64, which takes long"""

CHUNKS, PHOTOS = 4, CHUNK_PHOTOS // 2
"""number of chunks that are written, and the average number of photos in each"""

MACHINE = r"""
import json, time
import numpy as np
def best(work):
    times = []
    for _ in range(20):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)
a, b, c = (np.ones((1024, 1024), np.float32) for _ in range(3))
source, target = np.ones(1 << 25), np.ones(1 << 25)
product, copy = best(lambda: np.matmul(a, b, out=c)), best(lambda: np.copyto(target, source))
print(json.dumps([2 * 1024**3 / product, 2 * source.nbytes / copy]))
"""


def together(name: str) -> str:
    """Name of the stage in which a network embeds several chips in one call."""
    return f"network of {CHIPS_AT_ONCE} chips, {name}"


class Stages:
    """Times of the steps in milliseconds, and their page faults."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.faults: dict[str, list[float]] = {}

    def timed(self, stage: str, work: Callable[[], Any], shares: int = 1) -> Any:
        """Time a step, for one photo or for several that share its time."""
        faults, started = _page_faults(), time.thread_time()
        answer = work()
        spent = (time.thread_time() - started) * 1e3 / shares
        self.faults.setdefault(stage, []).extend([(_page_faults() - faults) / shares] * shares)
        self.times.setdefault(stage, []).extend([spent] * shares)
        return answer

    def ratio(self, stage: str, other: str) -> float:
        """How many times as long another step took; the median."""
        pairs = zip(self.times[stage], self.times[other], strict=True)
        return statistics.median(theirs / own for own, theirs in pairs)


def _page_faults() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def stages(dataset: str, photos: int, rounds: int) -> list[Goal]:
    """Measure and print the figures; the goals."""
    found, samples = Stages(), [data for _, data in read_photos(dataset, photos)]
    pixels, faces = _measure(found, samples * rounds, Settings(dataset=dataset))
    _show(found, f"{photos} photos of {dataset}, {faces // rounds} with a face, {rounds} rounds")
    _roofline(found, pixels / rounds / photos)
    goals = [
        Goal(f"detector, {name}, times dlib-bin's", found.ratio(f"detect, {name}", "detect, dlib"), DETECTOR[name], "x")
        for name in usable_kernels()
    ]
    for name in network.usable_kernels():
        ratio = found.ratio(f"CNN detector, {name}", "CNN detector, dlib")
        goals.append(Goal(f"CNN detector, {name}, times dlib-bin's", ratio, CNN_DETECTOR, "x"))
    for name in network.usable_kernels()[:1]:  # others would be compared with an ONNX Runtime that uses more
        for chips, stage, bound in ((CHIPS_AT_ONCE, together, 1.9), (1, "network, {}".format, 1.5)):
            if stage(name) in found.times:  # there may have been too few faces
                ratio = found.ratio(stage(name), stage("ONNX Runtime"))
                goals.append(Goal(f"network, {name}, {chips} at a time, times ONNX Runtime", ratio, bound, "x"))
    return goals


def _measure(found: Stages, samples: Sequence[bytes], settings: Settings) -> tuple[int, int]:
    """Process the photos with all implementations; numbers of pixels and of photos with a face."""
    import dlib

    detectors = {name: open_detector(KernelChoice(name)) for name in ("dlib", *usable_kernels())}
    landmarks = {"dlib": DlibLandmarks()} | ({"native": NativeLandmarks()} if usable_kernels() else {})
    reference = dlib.face_recognition_model_v1(str(dlib_models.network_path()))
    networks = {kernels: network.NativeNetwork(kernels).embed for kernels in network.usable_kernels()}
    networks["ONNX Runtime"] = open_onnx_network()
    pixels, chips = 0, []
    for data in samples:
        photo = found.timed("decode", partial(decode, data, settings)).pixels
        pixels += photo.shape[0] * photo.shape[1]
        for name, detector in detectors.items():
            faces = found.timed(f"detect, {name}", partial(detector.find, photo))
        if faces:
            for name, predictor in landmarks.items():
                shape = found.timed(f"landmarks, {name}", partial(predictor.find, photo, faces[0].rectangle))
            chip = found.timed("chip", partial(dlib.get_face_chip, photo, shape, CHIP_SIZE, CHIP_PADDING))
            found.timed("network, dlib", partial(reference.compute_face_descriptor, chip))
            for name, embed in networks.items():
                found.timed(f"network, {name}", partial(embed, chip[None]))
            chips.append(chip)
    for start in range(0, len(chips) - CHIPS_AT_ONCE + 1, CHIPS_AT_ONCE):
        group = np.stack(chips[start : start + CHIPS_AT_ONCE])
        for name, embed in networks.items():
            found.timed(together(name), partial(embed, group), CHIPS_AT_ONCE)
    _search_by_cnn(found, samples[:CNN_PHOTOS], settings)
    _write_chunks(found, chips)
    networks["dlib"] = network.DlibNetwork().embed
    _show_differences(networks, np.stack(chips[:CHIPS_COMPARED]))
    return pixels, len(chips)


def _search_by_cnn(found: Stages, samples: Sequence[bytes], settings: Settings) -> None:
    """Find the faces with all CNN detectors."""
    names = network.usable_kernels()
    detectors: dict[str, Detector] = {"dlib": DlibCnnDetector()} | {name: NativeCnnDetector(name) for name in names}
    for data in samples:
        photo = decode(data, settings).pixels
        for name, detector in detectors.items():
            found.timed(f"CNN detector, {name}", partial(detector.find, photo))


def _show_differences(networks: dict[str, Callable[[Any], Any]], chips: Any) -> None:
    """Print how far each network's embeddings are from those computed in float64."""
    expected = Float64Network().embed(chips)
    rows = []
    for name, embed in networks.items():
        differences = np.abs(embed(chips) - expected)
        rows.append((name, f"{differences.max():.1e}", f"{math.sqrt(np.square(differences).mean()):.1e}"))
    print_table(f"components of {len(chips)} embeddings, difference to float64", ("network", "largest", "rms"), rows)


def _write_chunks(found: Stages, chips: Sequence[Chip]) -> None:
    """Do what the parent process does with results, chunk by chunk; the photos are synthetic."""
    for number in range(CHUNKS):
        places = range(number * PHOTOS, (number + 1) * PHOTOS)
        total = found.timed("chip sum", partial(ChipSum.of, list(islice(cycle(chips), len(places)))), len(places))
        found.timed("thumbnail", lambda: [jpeg(chip) for chip in chips], len(chips))
        chunk = found.timed("ledger", partial(_parquet, places, results(places), total), len(places))
        found.timed("moments", partial(Moments.of, chunk.embeddings()), len(places))


def _parquet(places: range, found: Sequence[PhotoResult], chips: ChipSum) -> Chunk:
    """Make a chunk and encode it."""
    photos = [PhotoRef(f"{place}.jpg", 1000) for place in places]
    chunk = Chunk.of(places.start, photos, found, [None] * len(places), chips)
    chunk.to_parquet(ChunkKey.of("", photos))
    return chunk


def _show(found: Stages, title: str) -> None:
    """Print the steps, and their sum for a photo with a face."""
    median = {stage: statistics.median(times) for stage, times in found.times.items()}

    def path(name: str) -> list[str]:
        """The stages of a photo with detector and network of that name."""
        landmarks = "dlib" if name == "dlib" else "native"
        embedding = together(name) if together(name) in median else f"network, {name}"
        return ["decode", f"detect, {name}", f"landmarks, {landmarks}", "chip", embedding]

    whole = {name: sum(median[stage] for stage in path(name)) for name in ("dlib", *usable_kernels())}
    best = min(whole, key=lambda name: whole[name])
    recorded = ("chip sum", "ledger", "moments")
    faults = {stage: f"{statistics.median(counts):.0f}" for stage, counts in found.faults.items()}

    def row(stage: str, spent: float, times: float | None) -> tuple[str, ...]:
        against = "" if times is None else f"{times:.1f}"
        share = f"{spent / whole[best]:.0%}" if stage in (*path(best), *recorded) else ""
        return stage, f"{spent:.2f}", against, share, faults[stage]

    rows = []
    for stage, spent in median.items():
        kind, _, implementation = stage.partition(", ")
        kind = "network" if kind.startswith("network") else kind
        reference = median.get(f"{kind}, dlib") if implementation not in ("", "dlib") else None
        rows.append(row(stage, spent, reference and reference / spent))
    for name, spent in whole.items():
        rows.append((f"all stages, {name}", f"{spent:.2f}", f"{whole['dlib'] / spent:.1f}", "", ""))
    print_table(
        f"{title}; milliseconds of processor time, medians",
        ("stage", "ms", "times faster", "of a photo with a face", "page faults"),
        rows,
    )


def _roofline(found: Stages, pixels: float) -> None:
    """Print the limits of one core's arithmetic and memory without caches, and the measured rates."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    environment = inherited | {"OPENBLAS_NUM_THREADS": "1"}  # NumPy's best kernels, even if the caller restricts them
    done = subprocess.run([sys.executable, "-c", MACHINE], env=environment, check=True, capture_output=True, text=True)
    peak, bandwidth = json.loads(done.stdout)
    print(f"\nroofline of one core: {peak / 1e9:.0f} GFLOP/s (NumPy's product of matrices), ", end="")
    print(f"{bandwidth / 1e9:.1f} GB/s (NumPy's copy)")
    operations, weights, values = _work()

    def row(stage: str, chips: int) -> tuple[str, ...]:
        reached, moved = operations / (statistics.median(found.times[stage]) / 1e3), values + weights / chips
        roof = min(peak, bandwidth * operations / moved)
        figures = (f"{moved / 1e6:.0f}", f"{operations / moved:.0f}", f"{roof / 1e9:.0f}", f"{reached / 1e9:.0f}")
        return stage, f"{operations / 1e9:.2f}", *figures, f"{reached / roof:.0%}"

    single = [stage for stage in found.times if stage.startswith("network, ")]
    several = [stage for stage in found.times if stage.startswith("network of ")]
    head = ("of a face", "GFLOP", "MB", "FLOP/B", "roof, GFLOP/s", "reached", "of the roof")
    title = "the network, by the operations of plain convolutions; Winograd's transform saves two thirds of them"
    print_table(title, head, [row(stage, 1) for stage in single] + [row(stage, CHIPS_AT_ONCE) for stage in several])

    def detector(stage: str) -> tuple[str, ...]:
        seconds = statistics.median(found.times[stage]) / 1e3
        return stage, f"{seconds / levels * 1e9:.1f}", f"{2 * 3 * levels / bandwidth / seconds:.0%}"

    levels = PYRAMID * pixels
    title = f"the detector: {levels / 1e3:,.0f} thousand pixels in all levels, each written and read once"
    head = ("detector", "ns a pixel", "of it for memory")
    print_table(title, head, [detector(stage) for stage in found.times if stage.startswith("detect")])


def _work() -> tuple[int, int, int]:
    """Operations, bytes of weights, and bytes in and out of nodes, for one chip."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(converted()).graph
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    weights = 4 * sum(math.prod(size) for size in sizes.values())
    for value in [*graph.input, *graph.value_info, *graph.output]:
        sizes[value.name] = [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim]
    operations, moved = 0, 0
    for node in graph.node:
        if node.op_type in ("Conv", "MatMul"):
            filters, output = sizes[node.input[1]], sizes[node.output[0]]
            inner = filters[1:] if node.op_type == "Conv" else filters[:1]
            operations += 2 * math.prod(output) * math.prod(inner)
            moved += 4 * (math.prod(sizes[node.input[0]]) + math.prod(output))
    return operations, weights, moved
