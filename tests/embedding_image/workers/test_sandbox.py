"""Workers in their limits: real processes, real signals, real memory."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from heic import declared, heic, heic_deep
from meanface import system
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.result import PhotoResult
from meanface.outcome import Outcome
from meanface.settings import DetectorName, Settings
from meanface.workers import process, sandbox
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes

SMALL = Settings(dataset="sample", max_pixels=1_000_000, max_bytes=1_000_000)
MIB = sandbox.MIB

# A worker whose decoder follows the photo's instruction, confined like the real one.
DOUBLE = """
import ctypes, os, resource, signal, subprocess, sys, threading, time
from meanface.workers import child as worker
from meanface.outcome import Outcome
from meanface.embedder.decode import PhotoRefused

def decode(data, settings):
    detail = ""
    match data.split():
        case [b"crash"]:
            ctypes.string_at(0)
        case [b"hang"]:
            while True:
                pass
        case [b"take", size]:
            held = bytearray(int(size))
        case [b"take-a-while", size]:
            begun = time.monotonic()
            held = bytearray(int(size))
            time.sleep(0.3)
            detail = f"{begun} {time.monotonic()}"
        case [b"take-in-pieces"]:
            held = []
            while True:
                held.append(bytes([1]) * 1_000_000)
        case [b"take-in-c"]:
            libc = ctypes.CDLL(None)
            libc.malloc.restype = ctypes.c_void_p
            while (block := libc.malloc(ctypes.c_size_t(1 << 24))):
                ctypes.memset(block, 1, 1 << 24)
            os.abort()
        case [b"limits"]:
            kinds = ("CORE", "NPROC", "NOFILE", "DATA")
            detail = repr({kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds})
        case [b"privileges"]:
            detail = next(line for line in open("/proc/self/status") if line.startswith("NoNewPrivs")).split()[1]
        case [b"files"]:
            try:
                held = [open(os.devnull) for _ in range(100)]
            except OSError as refused:
                detail = refused.strerror
        case [b"another-program"]:
            os.setuid(65534)  # limits of processes do not count for root
            try:
                subprocess.run(["/bin/true"])
            except OSError as refused:
                detail = refused.strerror
        case [b"environment"]:
            detail = " ".join(os.environ)
    raise PhotoRefused(Outcome.NO_FACE, detail)

worker.decode = decode
worker.open_embedder = lambda *_: None
worker.embed = lambda detected, embedder, settings: detected
worker.main()
"""


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "double.py"
    script.write_text(DOUBLE)
    monkeypatch.setattr(process, "COMMAND", (sys.executable, str(script)))


def results(photos: Iterable[bytes], count: int = 1, settings: Settings = SMALL) -> list[PhotoResult]:
    groups = [[PhotoBytes(index, f"{index}.jpg", data, bytes(32))] for index, data in enumerate(photos)]
    with Workers(count, settings) as pool:
        found = dict(pool.results(groups))
    return [found[index] for index in range(len(found))]


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (b"crash", f"worker process killed by {signal.SIGSEGV.name}"),
        pytest.param(b"hang", "worker process gave no answer within 2 s", marks=pytest.mark.long),
        (b"take %d" % (1 << 40), "took more memory than a worker may"),
        (b"take-in-pieces", "took more memory than a worker may"),
        (b"take-in-c", f"worker process killed by {signal.SIGABRT.name}"),
    ],
)
@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_decoder_that_crashes_hangs_or_takes_all_memory_affects_no_other_photo(
    double: None, monkeypatch: pytest.MonkeyPatch, photo: bytes, said: str, count: int
) -> None:
    monkeypatch.setattr(process, "PHOTO_SECONDS", 2.0 if photo == b"hang" else 60.0)
    photos, deadly = [b"photo"] * 12, [5] if photo == b"hang" else [0, 5]  # each takes two workers their whole time
    for index in deadly:
        photos[index] = photo
    found = results(photos, count)
    assert [index for index, one in enumerate(found) if one.outcome is Outcome.CRASHED] == deadly
    assert found[5].detail.startswith(said)
    assert {one.outcome for one in found} == {Outcome.CRASHED, Outcome.NO_FACE}


HUNGRY = """
from pathlib import Path
from meanface import system
system.confine(256 << 20, 256 << 20)
kept = []
try:
    while True:
        kept.append(bytearray(b"x") * (8 << 20))
except MemoryError:
    status = Path("/proc/self/status").read_text()
    print(len(kept), int(status.partition("VmHWM:")[2].split()[0]) << 10)
"""


def test_a_confined_process_gets_its_memory_and_no_more() -> None:
    told = subprocess.run([sys.executable, "-c", HUNGRY], check=True, capture_output=True, text=True).stdout
    pieces, peak = map(int, told.split())
    assert 24 <= pieces <= 32
    assert peak < (256 + 64) * MIB


def test_the_limits_of_a_worker(double: None) -> None:
    limits, privileges, files = (one.detail for one in results([b"limits", b"privileges", b"files"]))
    assert "'CORE': (0, 0), 'NPROC': (0, 0)" in limits
    assert privileges == "1"
    assert files == "Too many open files"


@pytest.mark.skipif(
    os.getuid() != 0, reason="starts as root to become nobody; pods of the chart are nobody from the start"
)
def test_a_worker_starts_no_other_program(double: None) -> None:
    assert results([b"another-program"])[0].detail == "Resource temporarily unavailable"


def test_a_workers_environment_has_no_credentials(double: None, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ("MEANFACE_REDIS_URL", "MEANFACE_STORAGE", "AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "FSSPEC_S3",
              "HTTPS_PROXY", "GOOGLE_APPLICATION_CREDENTIALS", "HF_TOKEN", "GITHUB_TOKEN")  # fmt: skip
    for name in (*secret, "MEANFACE_KERNELS"):
        monkeypatch.setenv(name, "x")
    names = results([b"environment"])[0].detail.split()
    assert {"PATH", "OMP_NUM_THREADS", "MEANFACE_KERNELS"} <= set(names)
    assert not set(secret) & set(names)


def test_in_a_container_workers_share_the_memory() -> None:
    settings = Settings(dataset="sample")
    assert sandbox.worker_memory(settings, 1, None) > 3_200_000_000
    for workers_ in (1, 2, 4):
        share = sandbox.worker_memory(settings, workers_, 4096 * MIB)
        assert workers_ * (share + sandbox.SPARE) + sandbox.PARENT <= 4096 * MIB
    searching = settings.model_copy(update={"detector": DetectorName.CNN})
    assert sandbox.worker_memory(searching, 1, None) - sandbox.worker_memory(settings, 1, None) == (
        (176 - 64) * settings.max_pixels
    )
    assert sandbox.worker_memory(settings, 8, 64 * MIB) == sandbox.SPARE
    assert sandbox.worker_memory(settings, 2, 2048 * MIB) == 576 * MIB
    assert sandbox.memory_alone(settings, 2, 2048 * MIB) == 1152 * MIB
    large = Settings.of(dataset="sample", landmarks="large")  # their model is 128 MiB in each worker
    assert sandbox.worker_memory(large, 2, 2048 * MIB) == 448 * MIB
    assert sandbox.memory_alone(large, 2, 2048 * MIB) == 896 * MIB


@pytest.mark.parametrize("version", [0, 1])
def test_memory_limits_of_both_versions_of_control_groups(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = (tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes")
    monkeypatch.setattr(system, "CONTAINER_LIMITS", paths)
    assert system.container_memory() is None
    paths[version].write_text("2147483648\n")
    assert system.container_memory() == 2048 * MIB
    paths[version].write_text("9223372036854771712\n" if version else "max\n")
    assert system.container_memory() is None


@pytest.mark.long
def test_a_photo_that_needs_more_than_a_share_is_decoded_while_the_others_rest(
    double: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that needs more than the container has is `crashed`; the memory is taken back."""
    monkeypatch.setattr(system, "container_memory", lambda: 1600 * MIB)
    settings = Settings(dataset="sample", max_pixels=50_000_000)
    small, large, larger = (b"take-a-while %d" % (size * MIB) for size in (10, 500, 1200))
    photos = [small, large, small, larger, small, large, small, small]
    found = results(photos, 2, settings)
    assert [index for index, one in enumerate(found) if one.outcome is Outcome.CRASHED] == [3]
    assert found[3].detail.startswith("took more memory than a worker may")
    times = {index: tuple(map(float, one.detail.split())) for index, one in enumerate(found) if index != 3}
    for alone in (1, 5):
        begun, ended = times.pop(alone)
        assert all(end <= begun or ended <= begin for begin, end in times.values())


def encoded(size: tuple[int, int], kind: str, **options: object) -> bytes:
    written = io.BytesIO()
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    if kind == "HEIC":
        return heic(picture, enc_params={"preset": "ultrafast"}, **options)
    if kind == "HEIC, 10 bits":
        return heic_deep(picture, 10)
    if "save_all" in options:  # several frames, of which the first counts
        options["append_images"] = [picture.rotate(180)]
    picture.save(written, kind, **options)
    return written.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"progressive": True}), ("WEBP", {"lossless": True, "method": 0}), ("HEIC", {}),
     *(pytest.param(kind, options, marks=pytest.mark.long) for kind, options in (
         ("PNG", {}), ("TIFF", {}), ("WEBP", {"save_all": True}), ("GIF", {"save_all": True}),
         ("PNG", {"save_all": True}), ("TIFF", {"save_all": True}), ("HEIC, 10 bits", {}), ("AVIF", {"speed": 10}),
     ))],
)  # fmt: skip
def test_a_photo_of_max_pixels_has_room(kind: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """In real workers, with real models, and little to spare: it is the bytes per pixel that have to do."""
    monkeypatch.setattr(sandbox, "SPARE", 16 * MIB)
    settings = Settings(dataset="sample", max_pixels=3_000_000, exif_orientation=True)
    (result,) = results([encoded((2000, 1500), kind, **options)], settings=settings)
    assert (result.outcome, result.detail) == (Outcome.NO_FACE, "")


@pytest.mark.long
@pytest.mark.parametrize("upsample", [1, *(pytest.param(number, marks=pytest.mark.long) for number in (0, 2, 3))])
def test_a_photo_of_max_pixels_has_room_however_often_it_is_doubled(
    upsample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where dlib's own detector searches it, which holds the whole doubled photo; one more row is too large."""
    monkeypatch.setattr(sandbox, "SPARE", 16 * MIB)
    settings = Settings(dataset="sample", max_pixels=3_000_000, upsample=upsample)
    columns, rows = (side >> max(upsample - 1, 0) for side in (2000, 1500))
    photos = [[PhotoBytes(index, "a.png", encoded((columns, rows + index), "PNG"), bytes(32))] for index in (0, 1)]
    with Workers(1, settings, kernels=KernelChoice.DLIB) as pool:
        found = dict(pool.results(photos))
    assert (found[0].outcome, found[0].detail) == (Outcome.NO_FACE, "")
    assert found[1].outcome is Outcome.TOO_LARGE


def test_a_photo_that_is_doubled_too_often_for_its_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """dlib's own detector takes 800 bytes for each of its pixels; the photo ends, and its neighbours do not."""
    monkeypatch.setattr(system, "container_memory", lambda: 900 * MIB)
    sizes = [(100, 100), (1200, 1000), (100, 100)]
    photos = [[PhotoBytes(index, "a.png", encoded(size, "PNG"), bytes(32))] for index, size in enumerate(sizes)]
    with Workers(1, Settings(dataset="sample", upsample=3), kernels=KernelChoice.DLIB) as pool:
        found = dict(pool.results(photos))
    assert [found[index].outcome for index in range(3)] == [Outcome.NO_FACE, Outcome.CRASHED, Outcome.NO_FACE]
    assert found[1].detail.startswith("took more memory than a worker may")
    assert found[1].detail.endswith(": allow more, or lower upsample=3")


# Decode the photo in standard input in processes with less and less memory, and print each result.
CRAMPED = """
import json, os, resource, sys
from meanface import system
from meanface.embedder import heif
from meanface.workers import child as worker
from meanface.outcome import Outcome
from meanface.settings import DetectorName, Settings

heif.decoders()

class Embedder:
    def embed(self, chips):
        return []

    def find(self, photo):
        return []

photo, settings, outcomes = sys.stdin.buffer.read(), Settings(dataset="sample"), list(Outcome)
said = []
for room in range(120, 0, -4):
    child = os.fork()
    if not child:
        limit = system._allocated() + (room << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        detected = worker.detect(photo, Embedder(), settings)
        (result,) = worker.embed([detected], Embedder(), settings)
        os._exit(outcomes.index(result.outcome))
    said.append(outcomes[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])])
print(json.dumps(said))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"progressive": True, "subsampling": 0}),
     *(pytest.param(kind, options, marks=pytest.mark.long) for kind, options in (
         ("WEBP", {"lossless": True, "method": 0}), ("JPEG", {}), ("PNG", {}), ("WEBP", {"method": 0}),
         ("TIFF", {"compression": "tiff_lzw"}),
         ("TIFF", {"compression": "jpeg"}), ("GIF", {}), ("HEIC", {}), ("AVIF", {"speed": 10}),
     ))],
)  # fmt: skip
def test_an_intact_photo_is_never_undecodable_for_lack_of_memory(kind: str, options: dict[str, object]) -> None:
    """Whatever there is: it has its pixels, or is `crashed`."""
    photo = encoded((3000, 2000), kind, **options)
    told = subprocess.run([sys.executable, "-c", CRAMPED], input=photo, check=True, stdout=subprocess.PIPE).stdout
    said = json.loads(told)
    assert set(said) == {Outcome.CRASHED, Outcome.NO_FACE}
    assert (said[0], said[-1]) == (Outcome.NO_FACE, Outcome.CRASHED)


@pytest.mark.long
@pytest.mark.parametrize("broken", [False, True])
def test_a_share_that_is_too_small_decides_no_outcome(monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    """A progressive photo of 30 megapixels in the pod that docs/sizing.md recommends: 256 MiB a worker, 640 for one."""
    monkeypatch.setattr(system, "container_memory", lambda: 2048 * MIB)
    photo = encoded((5500, 5500), "JPEG", progressive=True, subsampling=0)
    settings = Settings(dataset="sample")
    monkeypatch.setattr(sandbox, "worker_memory", lambda *_: 256 * MIB)
    monkeypatch.setattr(sandbox, "memory_alone", lambda *_: 800 * MIB)
    found = results([photo[: len(photo) // 2] if broken else photo, encoded((100, 100), "PNG")], 2, settings)
    assert [one.outcome for one in found] == [Outcome.UNDECODABLE if broken else Outcome.NO_FACE, Outcome.NO_FACE]


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    """100 megapixels in less than a megabyte."""
    bomb = encoded((10_000, 10_000), "PNG")
    assert len(bomb) < 1_000_000
    small, large = results([encoded((100, 100), "PNG"), bomb])
    assert small.outcome is Outcome.NO_FACE
    assert large.outcome is Outcome.TOO_LARGE


def test_a_heic_bomb_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what its container declares, nor a picture that is larger than that."""
    monkeypatch.setattr(sandbox, "worker_memory", lambda *_: 64 * MIB)
    monkeypatch.setattr(sandbox, "memory_alone", lambda *_: 64 * MIB)
    photo = encoded((2000, 1500), "HEIC")
    bombs = [declared(photo, 60_000, 60_000), declared(photo, 16, 16)]
    outcomes = [one.outcome for one in results([*bombs, encoded((100, 100), "HEIC")], settings=Settings(dataset="any"))]
    assert outcomes == [Outcome.TOO_LARGE, Outcome.UNDECODABLE, Outcome.NO_FACE]


@pytest.mark.long
def test_a_photo_without_enough_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container too small for its `max_pixels`, the photo ends, and not the container."""
    monkeypatch.setattr(system, "container_memory", lambda: 700 * MIB)
    settings = Settings(dataset="sample", max_pixels=300_000_000)
    large, small = results([encoded((12_000, 12_000), "PNG"), encoded((100, 100), "PNG")], settings=settings)
    assert (large.outcome, small.outcome) == (Outcome.CRASHED, Outcome.NO_FACE)
    assert large.detail.startswith("took more memory than a worker may")
