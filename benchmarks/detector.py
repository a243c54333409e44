"""Time of the detectors, dlib's own and the native ones, on the same photos; then of every stage of a photo.

Every photo is shown to each detector in turn, so that a slow minute of the machine hits all alike, and each finds the
caches as another left them. Times are the thread's own CPU time, in which other processes show less. Ratios are taken
photo by photo. `python -m benchmarks.detector --help` lists the options.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

from meanface import model
from meanface.dataset import open_dataset, open_photos
from meanface.detector import Detector, DetectorChoice, open_detector, usable_kernels
from meanface.photo import Pixels, decode
from meanface.photolist import PhotoList
from meanface.settings import Settings
from meanface.storage import Storage


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", default="sample", help="a dataset, as `meanface run` takes it")
    parser.add_argument("--count", type=int, default=100, help="how many photos of it")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    settings = Settings(dataset=arguments.photos)
    files = _files(settings, arguments.count)
    photos = [decode(data, settings) for data in files]
    choices = [DetectorChoice.DLIB, *map(DetectorChoice, usable_kernels())]
    detectors = [open_detector(choice) for choice in choices]
    print(f"{len(photos)} photos of {arguments.photos}, {arguments.rounds} rounds")
    print("milliseconds of CPU a photo: median; ratio to dlib, median")
    _compare(detectors, photos * arguments.rounds)
    _stages(detectors, files * arguments.rounds, settings)


def _files(settings: Settings, count: int) -> list[bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        storage = Storage(scratch)
        opened = open_dataset(settings, storage)
        refs = list(PhotoList.sorted(opened.list()))
        chosen = refs[:: max(1, len(refs) // count)][:count]
        with open_photos(opened.source, storage) as source:
            return [source.read(ref, settings.max_bytes) for ref in chosen]


def _compare(detectors: list[Detector], photos: list[Pixels]) -> None:
    times: dict[str, list[float]] = {detector.name: [] for detector in detectors}
    for photo in photos:
        for detector in detectors:
            times[detector.name].append(_milliseconds(lambda chosen=detector, shown=photo: chosen.find(shown))[0])
    first = next(iter(times.values()))
    for detector in detectors:
        own = times[detector.name]
        ratio = statistics.median(one / other for one, other in zip(first, own, strict=True))
        handed_over = getattr(detector, "handed_over", 0)
        print(f"  {detector.name:14} {statistics.median(own):7.2f}  {ratio:5.1f}x  {handed_over} handed over to dlib")


def _stages(detectors: list[Detector], files: list[bytes], settings: Settings) -> None:
    """Each stage of a photo on its way, on one thread; landmarks, chip and network for its first face."""
    import dlib
    import onnxruntime

    landmarks = dlib.shape_predictor(str(model.landmarks_path()))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = onnxruntime.InferenceSession(model.cached(), options, providers=["CPUExecutionProvider"])
    times: dict[str, list[float]] = {}

    def timed(stage: str, work: Callable[[], object]) -> object:
        spent, answer = _milliseconds(work)
        times.setdefault(stage, []).append(spent)
        return answer

    for data in files:
        photo = timed("decode", lambda data=data: decode(data, settings))
        for detector in detectors:
            found = timed(f"detect, {detector.name}", lambda chosen=detector, photo=photo: chosen.find(photo))
        if found:
            shape = timed("landmarks", lambda photo=photo, found=found: landmarks(photo, found[0]))
            chip = timed("chip", lambda photo=photo, shape=shape: dlib.get_face_chip(photo, shape, 150, 0.25))
            timed("network", lambda chip=chip: network.run(None, {"chips": np.asarray(chip)[None]}))
    print("stages, milliseconds of CPU: median")
    for stage, spent in times.items():
        print(f"  {stage:22} {statistics.median(spent):7.2f}")


def _milliseconds(work: Callable[[], object]) -> tuple[float, object]:
    started = time.thread_time()
    answer = work()
    return (time.thread_time() - started) * 1e3, answer


if __name__ == "__main__":
    main()
