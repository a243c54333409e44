"""Every photo gets a result, whatever happens to the process that has it in hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from multiprocessing.connection import Pipe
from pathlib import Path

import numpy as np
import pytest

from meanface.embedder.embedder import DlibEmbedder
from meanface.embedder.faces import Box, Face, LeftOut
from meanface.embedder.result import Detection, PhotoResult
from meanface.errors import InfrastructureError
from meanface.outcome import Outcome
from meanface.photo_settings import PhotoSettings
from meanface.settings import Settings
from meanface.stats.chip_sum import SHAPE
from meanface.workers import child, process
from meanface.workers.pool import Workers
from meanface.workers.prefetch import GROUP_PHOTOS, PhotoBytes

SETTINGS = Settings(dataset="sample")

# A worker whose decoder does what the photo says: a test double at the process boundary, with real signals.
DOUBLE = """
import os, signal, sys
from multiprocessing.connection import Pipe
from pathlib import Path
from meanface.workers import child as worker
from meanface.outcome import Outcome
from meanface.embedder.decode import PhotoRefused

def decode(data, settings):
    match data.split():
        case [b"die", number]:
            os.kill(os.getpid(), int(number))
        case [b"die-once", number, marker] if not Path(os.fsdecode(marker)).exists():
            Path(os.fsdecode(marker)).touch()
            os.kill(os.getpid(), int(number))
        case [b"hang"]:
            signal.pause()
        case [b"leave"]:
            os._exit(7)
    raise PhotoRefused(Outcome.NO_FACE, data.decode()[:50])

worker.decode = decode
worker.open_embedder = lambda *_: None
def embed(detected, embedder, settings):
    if any(one.detail == "die-in-network" for one in detected):
        os.kill(os.getpid(), signal.SIGKILL)
    if any(one.detail == "hang-in-network" for one in detected):
        signal.pause()
    return detected

worker.embed = embed
worker.main()
"""


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "double.py"
    script.write_text(DOUBLE)
    monkeypatch.setattr(process, "COMMAND", (sys.executable, str(script)))


def readings(photos: Iterable[bytes]) -> list[PhotoBytes]:
    return [PhotoBytes(index, f"{index}.jpg", data, bytes(32)) for index, data in enumerate(photos)]


def results(count: int, photos: Sequence[PhotoBytes], group: int = 4) -> dict[int, PhotoResult]:
    groups = [list(photos[start : start + group]) for start in range(0, len(photos), group)]
    with Workers(count, SETTINGS) as pool:
        pairs = list(pool.results(groups))
    assert len({index for index, _ in pairs}) == len(pairs), "a photo has two results"
    return dict(pairs)


@pytest.mark.parametrize("count", [1, 3])
def test_each_photo_has_one_result(double: None, count: int) -> None:
    found = results(count, readings(b"photo %d" % index for index in range(40)))
    assert {index: result.detail for index, result in found.items()} == {i: f"photo {i}" for i in range(40)}


def test_no_photos_no_results_and_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", (str(tmp_path / "no-such-program"),))
    assert results(2, []) == {}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_photo_that_kills_its_worker_is_crashed_and_its_neighbours_are_not(double: None, number: int) -> None:
    photos = [b"photo"] * 20
    photos[3] = photos[11] = b"die %d" % number
    found = results(2, readings(photos))
    crashed = {index for index, result in found.items() if result.outcome is Outcome.CRASHED}
    assert crashed == {3, 11}
    assert signal.Signals(number).name in found[3].detail
    assert found[3].sha256 == bytes(32)
    assert len(found) == 20


def test_of_photos_that_the_network_has_together_only_the_deadly_one_is_crashed(double: None) -> None:
    photos = [b"photo"] * 40
    photos[5] = b"die-in-network"
    found = results(1, readings(photos), GROUP_PHOTOS)
    assert [index for index, result in found.items() if result.outcome is Outcome.CRASHED] == [5]
    assert len(found) == 40


def test_a_worker_that_leaves_is_told_from_one_that_is_killed(double: None) -> None:
    (result,) = results(1, readings([b"leave"])).values()
    assert (result.outcome, result.detail) == (Outcome.CRASHED, "worker process ended with exit code 7")


def test_a_photo_whose_worker_was_killed_for_anothers_sake_is_tried_again(double: None, tmp_path: Path) -> None:
    photo = b"die-once %d %s" % (signal.SIGKILL, os.fsencode(tmp_path / "marker"))
    (result,) = results(1, readings([photo])).values()
    assert result.outcome is Outcome.NO_FACE


@pytest.mark.long
def test_the_network_has_time_for_each_copy_of_a_face(double: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PHOTO_SECONDS", 1.0)
    with Workers(1, Settings(dataset="any", num_jitters=2)) as pool:
        ((_, result),) = pool.results([readings([b"hang-in-network"])])
    assert (result.outcome, result.detail) == (Outcome.CRASHED, "worker process gave no answer within 2 s")


def test_a_photo_that_hangs_is_crashed(double: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PHOTO_SECONDS", 1.0)
    found = results(2, readings([b"hang", b"photo", b"photo"]))
    assert (found[0].outcome, found[0].detail) == (Outcome.CRASHED, "worker process gave no answer within 1 s")
    assert found[1].outcome is found[2].outcome is Outcome.NO_FACE


def test_a_worker_that_cannot_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(InfrastructureError, match="ended with exit code 3 before its first photo"):
        results(1, readings([b"photo"]))


def test_a_worker_without_its_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"""
from pathlib import Path
from meanface.embedder import dlib_models
from meanface.workers import child as worker
dlib_models.network_path = lambda: Path({str(tmp_path)!r}, "network.dat")
worker.main()
"""
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", script))
    with Workers(1, SETTINGS) as pool, pytest.raises(InfrastructureError, match=r"cannot start: .*network\.dat"):
        list(pool.results([readings([b"photo"])]))


def test_workers_leave_with_their_parent(double: None) -> None:
    pool = Workers(2, SETTINGS)
    with pool:
        assert len(list(pool.results([readings([b"photo"])] * 4))) == 4
        pids = [child.pid for child in pool._workers]
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_worker_that_was_started_before_gets_the_first_photos(double: None) -> None:
    waits: list[int] = []
    with (
        process.first_worker(SETTINGS, 2) as first,
        Workers(2, SETTINGS, first=first, while_busy=lambda: waits.append(1)) as pool,
    ):
        assert first is not None
        assert not pool.used
        assert len(list(pool.results([readings([b"photo"])] * 4, most=1))) == 4
        assert pool.used
        assert [worker.pid for worker in pool._workers] == [first.pid]
        assert len(list(pool.results([readings([b"photo"])] * 4))) == 4
        assert len(pool._workers) == 2
    assert waits == [1]


def test_a_worker_that_is_not_needed_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import time; time.sleep(300)"))
    with process.first_worker(SETTINGS, 2) as first, Workers(2, SETTINGS, first=first) as pool:
        assert list(pool.results([])) == []
    assert first is not None
    assert first._process.poll() == -signal.SIGKILL


def test_a_worker_that_is_started_before_does_not_stay_if_there_is_no_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", "import time; time.sleep(300)"))
    with pytest.raises(InfrastructureError), process.first_worker(SETTINGS, 2) as first:
        raise InfrastructureError("no storage")
    assert first is not None
    assert first._process.poll() == -signal.SIGKILL


def test_the_networks_of_a_model_card_are_fetched_before_a_worker_starts(tmp_path: Path) -> None:
    with process.first_worker(Settings(dataset="sample", embedder=str(tmp_path / "card.toml")), 2) as first:
        assert first is None


def test_real_workers_agree_bit_for_bit_whatever_their_number(portrait_files: list[Path]) -> None:
    photos = [file.read_bytes() for file in portrait_files] * 3
    one, three = (results(count, readings(photos)) for count in (1, 3))
    assert {result.outcome for result in one.values()} == {Outcome.OK}
    for index in range(len(photos)):
        (face,), (other,) = one[index].faces, three[index].faces
        assert (face.box, face.embedding.tobytes()) == (other.box, other.embedding.tobytes())
        assert face.chip is not None
        np.testing.assert_array_equal(face.chip, other.chip)


def test_without_pixels_no_chip_leaves_a_worker(portrait_files: list[Path]) -> None:
    photo = portrait_files[0].read_bytes()
    settings = Settings(dataset="any", face_pixels=False)
    embedder = DlibEmbedder()
    message = child.encode(*child.embed([child.detect(photo, embedder, settings)], embedder, settings))
    assert len(message) < 1000
    with Workers(1, settings) as pool:
        ((_, result),) = pool.results([readings([photo])])
    (face,) = result.faces
    assert face.chip is None


def test_a_photo_with_an_embedding_that_is_not_finite_is_crashed_and_its_neighbours_are_not() -> None:
    class WithoutDark:
        """An embedder whose network fails on a dark face."""

        def embed(self, chips: Sequence[np.ndarray]) -> np.ndarray:
            return np.array([[1.0, chip.mean() or np.nan] for chip in chips], np.float32)

    def detection(*chips: int) -> Detection:
        chosen = {index: np.full(SHAPE, value, np.uint8) for index, value in enumerate(chips)}
        return Detection([(Box(0, 9, 9, 0), 1.0)] * len(chips), chosen, LeftOut(), 1)

    refused = PhotoResult(Outcome.UNDECODABLE, "no image")
    found = child.embed([detection(5), detection(7, 0), refused, detection(), detection(9)], WithoutDark(), SETTINGS)
    assert [result.outcome.value for result in found] == ["ok", "crashed", "undecodable", "no_face", "ok"]
    assert (found[1].detail, found[1].faces) == ("the network computes no finite embedding of face 1", ())
    assert [result.faces[0].embedding[1] for result in (found[0], found[-1])] == [5, 9]


@pytest.mark.parametrize("pixels", [True, False])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_message_says_what_was_found(count: int, pixels: bool) -> None:
    source = np.random.default_rng(count)
    chosen = tuple(
        Face(
            index,
            Box(1, 2, 3, index),
            index / 100,
            source.normal(size=128).astype(np.float32),
            source.integers(0, 256, SHAPE, dtype=np.uint8) if pixels else None,
        )
        for index in range(count)
    )
    result = PhotoResult(Outcome.OK, "ö\n", bytes(32), chosen, 7, LeftOut(2, 1), orientation=6)
    again = child.decode_result(child.encode(result), bytes(32))
    assert replace(again, faces=()) == replace(result, faces=())
    for face, told in zip(chosen, again.faces, strict=True):
        assert (told.index, told.box, told.score) == (face.index, face.box, face.score)
        np.testing.assert_array_equal(told.embedding, face.embedding)
        np.testing.assert_array_equal(told.chip, face.chip)
        assert told.embedding.base.nbytes == count * 512  # and not the whole message, chips included


def test_the_password_stays_with_the_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "tell.py"
    script.write_text(
        "import os, sys; from multiprocessing.connection import Connection\n"
        "Connection(int(sys.argv[1])).send_bytes(repr(sorted(os.environ)).encode())"
    )
    monkeypatch.setattr(process, "COMMAND", (sys.executable, str(script)))
    monkeypatch.setenv("MEANFACE_REDIS_URL", "redis://:secret@localhost")
    with Workers(1, SETTINGS) as pool, pytest.raises(InfrastructureError) as told:
        list(pool.results([readings([b"photo"])]))
    assert "OMP_NUM_THREADS" in str(told.value)
    assert "MEANFACE_REDIS_URL" not in str(told.value)


def test_a_worker_starts_without_what_it_does_not_need() -> None:
    """Each of these takes a tenth of a second or more of every worker's start."""
    script = """
import sys
from meanface.workers import child as worker
worker.open_embedder(worker.PhotoSettings.from_json(sys.argv[1]))
heavy = {"fsspec", "onnx", "onnxruntime", "pkg_resources", "pyarrow", "pydantic", "redis", "structlog"}
print(heavy & set(sys.modules))
"""
    command = [sys.executable, "-c", script, SETTINGS.model_dump_json()]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_worker_is_told_the_settings_that_are_about_photos() -> None:
    settings = Settings(
        dataset="any",
        embedder="face_recognition",
        faces="all",
        upsample=3,
        landmarks="large",
        num_jitters=9,
        max_pixels=7,
        max_side=99,
        exif_orientation=False,
        face_pixels=False,
    )
    told = PhotoSettings.from_json(settings.model_dump_json())
    assert vars(told) == {name: getattr(settings, name) for name in vars(told)}
    assert vars(told) != vars(PhotoSettings.from_json(SETTINGS.model_dump_json()))


def test_a_worker_that_comes_too_late_leaves_quietly() -> None:
    """Its photos are done before it is ready, and nobody listens any more."""
    parent, child = Pipe()
    command = [*process.COMMAND, str(child.fileno()), SETTINGS.model_dump_json(), "", "auto", *2 * [str(2**30)], ""]
    with subprocess.Popen(command, pass_fds=[child.fileno()], stderr=subprocess.PIPE, text=True) as late:
        child.close()
        parent.close()
        _, shown = late.communicate()
    assert (late.returncode, shown) == (0, "")
