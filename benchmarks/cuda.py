"""The tensor code on a GPU: agreement with the CPU's boxes and embeddings, time of each step, photos per second.

Two commands, as the machine with the GPU need not have dlib:

    python -m benchmarks.cuda prepare FOLDER PHOTOS    # where dlib is: weights, and what the CPU finds
    python benchmarks/cuda.py measure FOLDER PHOTOS    # where the GPU is

PHOTOS is a folder of JPEG files of one size, searched with all below it. It needs NumPy, Pillow and PyTorch only.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BATCH = 100


def main() -> None:
    """Prepare, or measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["prepare", "measure"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=BATCH)
    arguments = parser.parse_args()
    files = sorted(arguments.photos.rglob("*.jpg"))
    if arguments.what == "prepare":
        prepare(arguments.folder, files)
    else:
        measure(arguments.folder, [path.read_bytes() for path in files], arguments.rounds, arguments.batch)


def prepare(folder: Path, files: list[Path]) -> None:
    """Weights, and what `OnnxEmbedder` makes of the photos."""
    from meanface.cuda import weights
    from meanface.faces import OnnxEmbedder

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.npz").write_bytes(weights.packed(weights.derive()))
    embedder = OnnxEmbedder()
    photos, boxes, embeddings = [], [], []
    for i, path in enumerate(files):
        pixels = decoded(path.read_bytes())
        for box in embedder._detector.find(pixels):
            photos.append(i)
            boxes.append([box.left(), box.top(), box.right(), box.bottom()])
            embeddings.append(embedder._embed(pixels, box)[0])
    np.savez(folder / "expected.npz", photos=photos, boxes=boxes, embeddings=embeddings)
    print(f"{len(files)} photos, {len(photos)} faces")


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    """As `meanface.photo` does."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), order="C")


_shared: tuple[list[bytes], Any] | None = None


def _decode_into(number: int) -> int:
    files, pixels = _shared  # type: ignore[misc]
    pixels[number] = decoded(files[number])
    return number


def measure(folder: Path, files: list[bytes], rounds: int, batch: int) -> None:
    """Everything, and print it."""
    global _shared  # noqa: PLW0603 - how forked processes come to it
    import torch

    shape = (len(files), *decoded(files[0]).shape)
    pixels = torch.zeros(shape, dtype=torch.uint8).share_memory_()
    _shared = files, pixels.numpy()
    processes = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("fork").Pool(processes) as pool:  # before the GPU is touched
        started = time.perf_counter()
        pool.map(_decode_into, range(len(files)), chunksize=25)
        spent = time.perf_counter() - started
        print(f"decoding in {processes} processes: {len(files) / spent:,.0f} photos/s")
        _on_device(folder, pixels, rounds, batch, pool)


def _on_device(folder: Path, pixels: Any, rounds: int, batch: int, pool: Any) -> None:
    import torch

    from meanface.cuda import weights
    from meanface.cuda.embedder import BatchEmbedder

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, PyTorch {torch.__version__}, batches of {batch}")
    embedder = BatchEmbedder(weights.load(folder / "weights.npz"), device)

    def embed(begin: int) -> Any:
        part = pixels[begin : begin + batch].to(device).permute(0, 3, 1, 2).contiguous()
        return embedder(part)

    _agreement(
        np.load(folder / "expected.npz", allow_pickle=False),
        [embed(begin) for begin in range(0, len(pixels), batch)],
        batch,
    )
    _steps(embedder, pixels[:batch].to(device).permute(0, 3, 1, 2).contiguous(), rounds)
    for _ in range(rounds):
        started = time.perf_counter()
        for begin in range(0, len(pixels), batch):
            embed(begin).embeddings.cpu()
        print(f"pixels to embeddings: {len(pixels) / (time.perf_counter() - started):,.0f} photos/s")
    for _ in range(rounds):
        _to_moments(embed, pixels, batch, pool)


def _to_moments(embed: Callable[[int], Any], pixels: Any, batch: int, pool: Any) -> None:
    from meanface.moments import Moments

    started, moments = time.perf_counter(), Moments.zero()
    ready = pool.imap(_decode_into, range(len(pixels)), chunksize=10)
    for begin in range(0, len(pixels), batch):
        for _ in range(min(batch, len(pixels) - begin)):
            next(ready)
        moments += Moments.of(embed(begin).embeddings.cpu().numpy())
    print(f"JPEG bytes to moments: {len(pixels) / (time.perf_counter() - started):,.0f} photos/s")


def _agreement(expected: Any, parts: list[Any], batch: int) -> None:
    photos = np.concatenate([part.photos.cpu().numpy() + i * batch for i, part in enumerate(parts)])
    boxes = np.concatenate([part.boxes.cpu().numpy() for part in parts])
    embeddings = np.concatenate([part.embeddings.cpu().numpy() for part in parts])
    uncertain = np.concatenate([part.uncertain.cpu().numpy() + i * batch for i, part in enumerate(parts)])
    total, same, largest, beyond = len(parts) * batch, 0, 0.0, 0
    for photo in range(total):
        ours, theirs = photos == photo, expected["photos"] == photo
        if np.array_equal(boxes[ours], expected["boxes"][theirs]):
            same += 1
            differences = np.abs(embeddings[ours] - expected["embeddings"][theirs]).max(1, initial=0)
            beyond += int((differences > 1e-4).sum())
            largest = max(largest, differences.max(initial=0))
        else:
            print(f"photo {photo}: {boxes[ours].tolist()}, expected {expected['boxes'][theirs].tolist()}")
    print(f"{same} of {total} photos have the same boxes; {len(uncertain)} uncertain: {uncertain.tolist()}")
    print(f"largest difference of a component {largest:.2e}; {beyond} faces beyond 1e-4")


def _steps(embedder: Any, photos: Any, rounds: int) -> None:
    """Milliseconds a batch of each step, by itself."""
    import torch

    from meanface.cuda.network import exact_float32
    from meanface.cuda.pyramid import Size

    detector = embedder._detector
    plan = detector._plan(Size(*photos.shape[2:]))
    with torch.inference_mode(), exact_float32():
        levels = detector._levels(plan, photos)
        features = [hog(level) for hog, level in levels]
        found = detector(photos)
        marks = embedder._landmarks(photos, found.photos, found.boxes)
        chips, _ = embedder._chips(photos, found.photos, marks)
        steps: dict[str, Callable[[], Any]] = {
            "pyramid": lambda: plan.pyramid(photos),
            "hog": lambda: [hog(level) for hog, level in levels],
            "scan": lambda: [detector._scan(feature) for feature in features],
            "detector, whole": lambda: detector(photos),
            "landmarks": lambda: embedder._landmarks(photos, found.photos, found.boxes),
            "chips": lambda: embedder._chips(photos, found.photos, marks),
            "network": lambda: embedder._network(chips),
        }
        for name, step in steps.items():
            times = []
            for _ in range(rounds + 1):
                _wait(photos)
                started = time.perf_counter()
                step()
                _wait(photos)
                times.append((time.perf_counter() - started) * 1e3)
            print(f"  {name:22} {np.median(times[1:]):8.2f} ms")


def _wait(photos: Any) -> None:
    if photos.is_cuda:
        import torch

        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
