"""Which CNN detector runs, and what a recipe says of it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from detection import find_faces
from meanface.embedder import network
from meanface.embedder.decode import Pixels
from meanface.embedder.detector import cnn
from meanface.embedder.embedder import open_embedder
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.recipe import ADDED, identity, recipe
from meanface.outcome import Outcome
from meanface.photo_settings import DetectorName, EmbedderName, FacesPolicy
from meanface.settings import Settings

HOG, CNN = Settings(dataset="sample"), Settings(dataset="sample", detector=DetectorName.CNN)
needs_native = pytest.mark.skipif(not network.usable_kernels(), reason="the native network is not there")

WITHOUT_EXTENSION = """
import sys
sys.modules["meanface.embedder._native"] = None  # what an installation without a compiler comes to
from meanface.embedder.detector.cnn import open_cnn
from meanface.embedder.recipe import recipe
from meanface.settings import Settings
print(open_cnn().name, recipe(Settings(dataset="sample", detector="cnn")))
"""


def test_the_default_adds_nothing_to_a_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of runs before there was a choice stay valid."""
    assert HOG.detector is DetectorName.HOG
    assert "detector_code" not in identity(EmbedderName.DLIB)
    dumped: list[set[str]] = []
    dump = Settings.model_dump
    monkeypatch.setattr(Settings, "model_dump", lambda self, **how: dumped.append(how["exclude"]) or dump(self, **how))
    recipe(HOG)
    recipe(CNN)
    assert [ADDED & excluded for excluded in dumped] == [ADDED, ADDED - {"detector"}]


@pytest.mark.parametrize("name", [EmbedderName.DLIB, EmbedderName.FACE_RECOGNITION])
def test_the_cnn_is_another_recipe(name: EmbedderName) -> None:
    settings = Settings(dataset="sample", embedder=name)
    assert recipe(settings) != recipe(settings.model_copy(update={"detector": DetectorName.CNN}))


@needs_native
def test_another_version_of_the_native_cnn_is_another_recipe_of_the_cnn_only(monkeypatch: pytest.MonkeyPatch) -> None:
    hog, by_cnn = recipe(HOG), recipe(CNN)
    monkeypatch.setattr(cnn, "VERSION", cnn.VERSION + 1)
    assert recipe(HOG) == hog
    assert recipe(CNN) != by_cnn


@needs_native
def test_without_the_extension_dlibs_own_runs_with_a_recipe_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTENSION], capture_output=True, text=True, check=True)
    name, other = done.stdout.split()
    assert name == "dlib"
    assert other != recipe(CNN)


@needs_native
def test_the_choice_of_kernels_is_followed_where_they_are_there() -> None:
    for kernels in network.usable_kernels():
        assert cnn.open_cnn(KernelChoice(kernels)).name == cnn.cnn_name(KernelChoice(kernels)) == f"native-{kernels}"
    for choice in ("auto", "native", "dlib"):
        assert cnn.open_cnn(KernelChoice(choice)).name == f"native-{network.usable_kernels()[0]}"


@pytest.mark.long
@needs_native
def test_the_face_recognition_package_finds_the_same_face_with_its_cnn(portraits: list[Pixels]) -> None:
    photo = np.ascontiguousarray(portraits[0][::2, ::2])
    ours, theirs = (
        find_faces(open_embedder(CNN.model_copy(update={"embedder": name})), photo, FacesPolicy.ALL)
        for name in (EmbedderName.DLIB, EmbedderName.FACE_RECOGNITION)
    )
    assert ours.outcome is theirs.outcome is Outcome.OK
    assert [face.box for face in ours.faces] == [face.box for face in theirs.faces]
    for one, other in zip(ours.faces, theirs.faces, strict=True):
        np.testing.assert_allclose(one.embedding, other.embedding, rtol=0, atol=1e-6)
