"""The commands as their callers run them: real processes, real Redis, exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import meanface.dataset as meanface_sample
from meanface.ledger.manifest import Manifest
from meanface.results.result import ResultRecord
from polling import until

MEANFACE = [sys.executable, "-m", "meanface"]
WORKER = [sys.executable, "-m", "meanface.workers"]
SMALL_PHOTOS = 700  # more than two chunks of the ledger


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, portrait_files: list[Path]) -> Path:
    """Many photos: every fiftieth with a face, the others quick to look at."""
    folder = tmp_path_factory.mktemp("many")
    face = Image.open(portrait_files[0]).convert("RGB").crop((120, 80, 440, 400))
    for number in range(SMALL_PHOTOS):
        if number % 50:
            Image.new("RGB", (8, 8), (number % 256, 90, 120)).save(folder / f"{number:04d}.png")
        else:
            face.rotate(number / 100).resize((160, 160)).save(folder / f"{number:04d}.jpg")
    return folder


Environment = dict[str, str]


@pytest.fixture
def environment(new_server: Callable[..., object], tmp_path: Path) -> Environment:
    server = new_server("--requirepass", "s3cret:/@%")
    storage = str(tmp_path / "storage")
    url = f"redis://:s3cret%3A%2F%40%25@127.0.0.1:{server.port}/0"
    return os.environ | {"MEANFACE_REDIS_URL": url, "MEANFACE_STORAGE": storage}


def meanface(*arguments: object, env: Environment | None = None, expect: int = 0) -> str:
    """Run a command; its output, both streams."""
    command = [*MEANFACE, *map(str, arguments)]
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250, check=False
    )
    assert done.returncode == expect, done.stdout
    assert "Traceback" not in done.stdout
    assert "s3cret" not in done.stdout
    return done.stdout


def start(
    *arguments: object, env: Environment | None = None, command: Sequence[str] = MEANFACE
) -> subprocess.Popen[str]:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it, and so their children
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


Bits = tuple[list[float], bytes]


def bits(folder: Path) -> Bits:
    """What may depend on the photos only: the mean, and the mean face."""
    return json.loads((folder / "result.json").read_text())["mean"], (folder / "mean_face.png").read_bytes()


@pytest.fixture(scope="module")
def quiet(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Bits:
    """Those of a run that nothing disturbs."""
    output = tmp_path_factory.mktemp("quiet")
    meanface("run", photos, "--output", output)
    return bits(output)


def test_the_sample_runs_and_its_result_is_printed(tmp_path: Path) -> None:
    shown = meanface("run", "sample", "--output", tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert f"photos  {result['photos']}" in shown
    assert f"{result['mean'][0]:+.6f}" in shown
    assert str(tmp_path) in shown


@pytest.mark.long
def test_the_output_names_files_and_faces_that_do_not_count(portrait_files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[0x112] = 3
    portrait = Image.open(portrait_files[1]).convert("RGB").crop((60, 0, 360, 300))
    portrait.rotate(180).save(tmp_path / "photos" / "a.png", exif=exif)
    (tmp_path / "photos" / "\u202egpj.mov").write_bytes(b"a video")
    shown = meanface("run", tmp_path / "photos", "--output", tmp_path / "results")
    assert "passed over: videos: 1 ('\\u202egpj.mov')" in shown
    assert "turned upright by their EXIF orientation: 1 photo\n" in shown
    assert "faces left out" not in shown


@pytest.mark.long
def test_stages_in_separate_processes_give_the_same_bits(
    photos: Path, quiet: Bits, environment: Environment, tmp_path: Path
) -> None:
    run = "manual__2026-01-02T03:04:05.678901+00:00"
    meanface("plan", "--run", run, "--dataset", photos, "--partition-size", 500, env=environment)
    files = tmp_path / "storage" / "runs" / run
    partitions = len(Manifest.from_json((files / "manifest.json").read_bytes()).partitions)
    assert partitions > 2
    others = [index for index in reversed(range(partitions)) if index != 1]
    waiting = [start("embed", "--run", run, "--partition", index, "--workers", 1, env=environment) for index in others]
    zombie = start("embed", "--run", run, "--partition", 0, env=environment)  # a second attempt at the same time
    for process in [*waiting, zombie]:
        shown, _ = process.communicate(timeout=250)
        assert process.returncode == 0, shown
    missing = meanface("reduce", "--run", run, env=environment, expect=3)
    assert "IncompleteRun" in missing
    assert f"1 of {partitions} partitions are not committed: 1" in missing
    meanface("embed", "--run", run, "--partition", 1, "--attempt", 2, env=environment)
    meanface("reduce", "--run", run, env=environment)
    assert bits(files) == quiet


@pytest.mark.long
@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGKILL, signal.SIGINT))],
)
def test_a_killed_run_continues(photos: Path, quiet: Bits, tmp_path: Path, number: signal.Signals) -> None:
    process = start("run", photos, "--output", tmp_path, "--workers", 2)
    until(lambda: list(tmp_path.glob("ledger/*/*/*.parquet")))
    os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode != 0, shown
    if number is signal.SIGTERM:
        assert process.returncode == 143
    assert not (tmp_path / "result.json").exists()
    kept = {chunk: chunk.stat().st_mtime_ns for chunk in tmp_path.glob("ledger/*/*/*.parquet")}
    meanface("run", photos, "--output", tmp_path)
    assert bits(tmp_path) == quiet
    assert {chunk: chunk.stat().st_mtime_ns for chunk in kept} == kept


@pytest.mark.long
def test_a_killed_worker_loses_nothing(photos: Path, quiet: Bits, tmp_path: Path) -> None:
    process = start("run", photos, "--output", tmp_path, "--workers", 2)
    until(lambda: list(tmp_path.glob("ledger/*/*/*.parquet")))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    shown, _ = process.communicate(timeout=250)
    assert process.returncode == 0, shown
    assert "worker died" in shown
    assert bits(tmp_path) == quiet


@pytest.mark.long
@pytest.mark.parametrize("new_server", ["valkey"], indirect=True)
def test_redis_may_be_unavailable_during_a_run(
    photos: Path, quiet: Bits, new_server: Callable[..., object], tmp_path: Path
) -> None:
    server = new_server()
    env = os.environ | {"MEANFACE_REDIS_URL": server.url, "MEANFACE_STORAGE": str(tmp_path)}
    meanface("plan", "--run", "r", "--dataset", photos, "--partition-size", SMALL_PHOTOS + 1, env=env)
    (partition,) = Manifest.from_json((tmp_path / "runs" / "r" / "manifest.json").read_bytes()).partitions
    assert partition.chunks > 1
    process = start("embed", "--run", "r", "--partition", 0, env=env)
    ledger = tmp_path / "runs" / "r" / "ledger"
    until(lambda: list(ledger.rglob("*.parquet")))
    server.kill()
    until(lambda: len(list(ledger.rglob("*.parquet"))) == partition.chunks)  # the work goes on
    assert process.poll() is None
    server.start()
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 0, shown
    meanface("reduce", "--run", "r", env=env)
    assert bits(tmp_path / "runs" / "r") == quiet


@pytest.mark.long
def test_a_lost_redis_is_reported_and_loses_nothing(photos: Path, tmp_path: Path) -> None:
    env = os.environ | {
        "MEANFACE_REDIS_URL": "redis://:s3cret@127.0.0.1:1",
        "MEANFACE_REDIS_PATIENCE": "1",
        "MEANFACE_STORAGE": str(tmp_path),
    }
    shown = meanface("plan", "--run", "r", "--dataset", photos, env=env, expect=4)
    assert re.search(r"RedisUnavailable: .*127\.0\.0\.1:1\b.*did not answer", shown)


WRONG: dict[str, tuple[list[str], Environment, int, str]] = {
    "no such dataset": (["run", "/no/such/place", "--output", "out"], {}, 2, "/no/such/place"),
    "no such bucket scheme": (["run", "sample", "--output", "nowhere://x"], {}, 2, "nowhere://x"),
    "wrong setting": (["run", "sample", "--output", "out", "--partition-size", "0"], {}, 2, "partition_size=0"),
    "unknown policy": (["run", "sample", "--output", "out", "--faces", "some"], {}, 2, "some"),
    "no plan's name": (["plan", "sample"], {}, 2, "give one with --run"),
    "no dataset": (["plan", "--run", "r"], {}, 2, "as DATASET or as --dataset"),
    "two datasets": (["plan", "sample", "--dataset", "lfw", "--dry-run"], {}, 2, "give the dataset once"),
    "pattern with a slash": (["run", "sample", "--exclude", "/photos"], {}, 2, "relative to the dataset"),
    "no redis": (["plan", "--run", "r", "--dataset", "sample"], {}, 2, "MEANFACE_REDIS_URL"),
    "bad run name": (["reduce", "--run", "a/../b"], {}, 2, "a/../b"),
    "date field without date": (["run", "/photos/%Y", "--output", "out"], {}, 2, "%Y"),
    "series without date": (["plan", "--run", "r", "--dataset", "sample", "--series", "s"], {}, 2, "--date"),
    "bad series name": (
        ["plan", "--run", "r", "--dataset", "sample", "--series", "../s", "--date", "2026-01-02"],
        {},
        2,
        "series name '../s'",
    ),
    "a run by itself in a series": (["run", "sample", "--output", "out", "--series", "s"], {}, 2, "--series"),
}


@pytest.mark.parametrize(("arguments", "extra", "code", "named"), WRONG.values(), ids=WRONG.keys())
def test_errors_name_their_cause(
    arguments: list[str], extra: Environment, code: int, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {key: value for key, value in os.environ.items() if not key.startswith("MEANFACE_")} | extra
    assert named in meanface(*arguments, env=env, expect=code)


@pytest.mark.long
@pytest.mark.parametrize("new_server", ["valkey"], indirect=True)
def test_two_days_of_a_series_and_a_repeated_day(
    environment: Environment, run_on: Callable[..., ResultRecord], tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    sample = Path(meanface_sample.__file__).parent / "sample" / "photos"
    for name, date in (("first", "2026-01-02"), ("second", "2026-01-03T01:00:00+01:00"), ("again", "2026-01-02")):
        data = tmp_path / date[:10]
        shutil.copytree(sample / ("grace_hopper" if name == "first" else "eileen_collins"), data, dirs_exist_ok=True)
        options = ("--dataset", f"{tmp_path}/%Y-%m-%d", "--series", "days", "--date", date)
        meanface("plan", "--run", name, *options, env=environment)
        meanface("embed", "--run", name, "--partition", 0, env=environment)
        shown = meanface("reduce", "--run", name, env=environment)
        assert re.search(rf"^series  days: \d faces in . intervals, {storage}/series/days$", shown, re.MULTILINE)
    result = json.loads((storage / "series" / "days" / "result.json").read_text())
    assert [interval["run"] for interval in result["intervals"]] == ["again", "second"]
    both = tmp_path / "both"
    for date in ("2026-01-02", "2026-01-03"):
        shutil.copytree(tmp_path / date, both / date)
    assert result["mean"] == run_on(both, tmp_path / "out").mean


def test_a_wrong_password_is_not_printed(environment: Environment) -> None:
    env = environment | {"MEANFACE_REDIS_URL": environment["MEANFACE_REDIS_URL"].replace("s3cret", "wr0ng-s3cret")}
    assert "check user and password" in meanface("reduce", "--run", "r", env=env, expect=2)


def test_a_full_disk_is_named(photos: Path) -> None:
    shown = meanface("run", photos, "--output", "/proc/meanface", expect=4)
    assert "StorageUnavailable: cannot write /proc/meanface/" in shown


def test_errors_and_logs_escape_terminal_controls(tmp_path: Path) -> None:
    name = "a\x1b[31m\x9b31m\u202egpj"
    done = subprocess.run(
        [*MEANFACE, "compare", f"{tmp_path}/{name}", "x"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "\\x9b31m\\u202egpj" in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())
    program = "from meanface.cli import logging; import structlog; logging.configure(); structlog.get_logger()"
    program += f".info({name!r}, x={name!r})"
    logged = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr
    assert logged.count("u202egpj") == 2
    assert logged.rstrip("\n").isprintable()


def test_versions_and_model_are_printed() -> None:
    assert re.search(r"^dlib-bin \d", meanface("version"), re.MULTILINE)
    assert "dlib_face_recognition_resnet_model_v1.dat  sha256:55533b28" in meanface("model")


@pytest.mark.long
def test_names_of_any_kind_are_processed(portrait_files: list[Path], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    names = [
        "line\nfeed.jpg",
        "Zoë ✓.jpg",
        "-rf.jpg",
        "<img src=x onerror=alert(1)>.jpg",
        "a" * 240 + ".jpg",
        "'; --.jpg",
    ]
    for name in names:
        (data / name).write_bytes(portrait_files[0].read_bytes())
    (data / "broken <b>.jpg").touch()
    meanface("run", data, "--output", tmp_path / "out")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["faces"] == len(names)
    assert result["mean"] == pytest.approx(np.load(tmp_path / "out" / "mean.npy"), abs=0)
    assert "<b>" in (tmp_path / "out" / "failures.csv").read_text()
    assert "<img src=x" not in (tmp_path / "out" / "report.html").read_text()


def test_numpy_starts_no_threads_beside_the_workers() -> None:
    """OpenBLAS's spin for a while when they have nothing to do, on cores that the workers need."""
    script = """
import os
from meanface.cli import app as cli
cli.app(["version"], standalone_mode=False)
import numpy
print(len(os.listdir("/proc/self/task")), "thread")
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    shown = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("\n1 thread\n")


@pytest.mark.parametrize(
    ("module", "command", "code"),
    [("typer", MEANFACE, -signal.SIGINT), ("numpy", WORKER, 99)],
    ids=["program", "worker"],
)
def test_ctrl_c_while_python_imports_shows_no_traceback(
    tmp_path: Path, module: str, command: list[str], code: int
) -> None:
    """It ends the program, and leaves its workers to it."""
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nos._exit(99)\n")
    process = start("run", env=os.environ | {"PYTHONPATH": str(tmp_path)}, command=command)
    assert process.communicate(timeout=60) == ("", None)
    assert process.returncode == code


@pytest.mark.parametrize("package", ["pandas", "rich"])
def test_a_run_does_not_import_what_it_does_not_need(tmp_path: Path, package: str) -> None:
    """PyArrow would import pandas with its first array, and structlog Rich: up to 0.3 s of each run."""
    (tmp_path / f"{package}.py").write_text("import os\nos._exit(99)\n")
    meanface("run", "sample", "--output", tmp_path / "results", env=os.environ | {"PYTHONPATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("photos", "size", "options", "workers"),
    [
        (7, 0, (), 1),
        (40, 0, (), 2),
        (40, 0, ("--partition-size", 7), 2),
        (3, 2**20, (), 2),
        (7, 0, ("--detector", "cnn"), 2),
        (7, 0, ("--num-jitters", 100), 2),
        (7, 0, ("--upsample", 2), 2),
        (7, 0, ("--embedder", "face_recognition"), 2),
    ],
)
def test_a_second_worker_is_started_unless_the_run_has_few_quick_photos(
    tmp_path: Path, photos: int, size: int, options: Sequence[object], workers: int
) -> None:
    """Few small photos take less time than the start of a second worker."""
    for number in range(photos):
        file = tmp_path / "photos" / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (number, 90, 120)).save(file)
        with file.open("ab") as end:
            end.write(bytes(size))
    script = """
import sys
from meanface.cli.app import app
from meanface.workers import process
start, started = process.WorkerProcess.__init__, []

def counted(self, *arguments):
    started.append(self)
    start(self, *arguments)

process.WorkerProcess.__init__ = counted
try:
    app(sys.argv[1:], standalone_mode=False)
finally:
    print(len(started), "started")
"""
    words = [
        sys.executable,
        "-c",
        script,
        "run",
        tmp_path / "photos",
        "--output",
        tmp_path / "out",
        "--workers",
        2,
        *options,
    ]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert "NoFaceFound" in done.stderr
    assert f"{workers} started" in done.stdout


def test_one_thread_alone_parses_python(tmp_path: Path) -> None:
    """In Python 3.11 parsing in two threads at once fails at times (python/cpython#106905 is one report)."""
    script = """
import ast, sys, threading
from meanface.cli.app import main

parse, threads = ast.parse, set()

def recorded(*arguments, **options):
    threads.add(threading.current_thread().name)
    return parse(*arguments, **options)

ast.parse = recorded
try:
    main()
finally:
    print(threads)
"""
    command = [sys.executable, "-c", script, "run", "sample", "--output", str(tmp_path / "results")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("\n{'MainThread'}\n")
