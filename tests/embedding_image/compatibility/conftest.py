"""A place with a portrait for each recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from compatibility import Place
from meanface.dataset import SAMPLE
from meanface.settings import Settings
from meanface.workers.pool import Workers


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each row and each recipe of a module's section is a test of its own."""
    if "what" in metafunc.fixturenames:
        metafunc.parametrize("what", metafunc.module.recipe.each)


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """256 x 256 pixels of Eileen Collins, of the sample."""
    with Image.open(SAMPLE / "eileen_collins" / "astronaut.jpg") as photo:
        return photo.convert("RGB").crop((80, 0, 336, 256))


@pytest.fixture(scope="session")
def likeness(
    portrait: Image.Image, workers_for: Callable[[Settings], Workers], tmp_path_factory: pytest.TempPathFactory
) -> NDArray[np.float32]:
    """The portrait's embedding."""
    place = Place(tmp_path_factory.mktemp("likeness"), portrait, workers_for)
    place.write("photos/a.png", place.png)
    face = place.run().photos["a.png"].face
    assert face is not None
    return face


@pytest.fixture
def place(
    tmp_path: Path,
    portrait: Image.Image,
    likeness: NDArray[np.float32],
    workers_for: Callable[[Settings], Workers],
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return Place(tmp_path, portrait, workers_for, likeness)
