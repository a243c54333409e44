"""Detectors work at the same time: they share nothing, and let other threads run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import pytest

from meanface.embedder.decode import Pixels
from meanface.embedder.detector import usable_kernels

BEST = (usable_kernels() or ["avx2"])[0]


def test_detectors_in_several_threads_give_the_same_boxes(open_native, resized: Callable[[int], Pixels]) -> None:
    photos = [resized(number) for number in range(70, 78)]
    alone = open_native(BEST)
    expected = [alone.examine(photo, -1) for photo in photos]
    detectors = [open_native(kernels) for kernels in usable_kernels() * 2]
    with ThreadPoolExecutor(len(detectors)) as threads:
        answers = threads.map(lambda each: [each.examine(photo, -1) for photo in photos * 2], detectors)
        for answer in answers:
            assert answer == expected * 2


@pytest.mark.parametrize("work", ["find", "features"])
def test_other_threads_run_meanwhile(open_native, work: str) -> None:
    """With no turns given by the clock, this thread can go on only when the other one lets it."""
    detector = open_native(BEST)
    run = {"find": detector.examine, "features": detector._detector.features}[work]
    photo = np.random.default_rng(11).integers(0, 256, (2500, 2500, 3), np.uint8)
    about_to_look, has_looked = Event(), Event()

    def look() -> None:
        about_to_look.set()
        run(photo)
        has_looked.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(600)
    try:
        thread = Thread(target=look)
        thread.start()
        about_to_look.wait()
        assert not has_looked.is_set()
    finally:
        sys.setswitchinterval(interval)
        thread.join()
