"""Which network runs: the recipe names it, and machines with another one do not take part in a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from meanface.embedder import network
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.network import open_network, usable_kernels
from meanface.embedder.recipe import identity, recipe
from meanface.errors import Conflict
from meanface.photo_settings import EmbedderName
from meanface.pipeline import embed, plan
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from synthetic import VectorWorkers, write

needs_native = pytest.mark.skipif(not usable_kernels(), reason="the native network is not there")

WITHOUT_EXTENSION = """
import sys
sys.modules["meanface.embedder._native"] = None  # what an installation without a compiler comes to
from meanface.embedder.network import open_network
from meanface.embedder.recipe import recipe
from meanface.settings import Settings
print(open_network().name, recipe(Settings(dataset="sample")))
"""


@needs_native
def test_the_choice_of_kernels_is_followed_where_they_are_there() -> None:
    for kernels in usable_kernels():
        assert open_network(KernelChoice(kernels)).name == f"native-{kernels}"
    for choice in ("auto", "native", "dlib"):
        assert open_network(KernelChoice(choice)).name == f"native-{usable_kernels()[0]}"


@needs_native
def test_the_recipe_names_the_version_of_the_network_and_no_cpu() -> None:
    found = identity(EmbedderName.DLIB)
    assert found["network_code"] == f"native {network.VERSION}"
    assert not set(" ".join(found.values()).split()) & {"avx2", "avx512", "x86_64", "aarch64", "onnxruntime"}


@needs_native
def test_another_version_of_the_network_is_another_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(dataset="sample")
    now = recipe(settings)
    monkeypatch.setattr(network, "VERSION", network.VERSION + 1)
    assert recipe(settings) != now


@needs_native
def test_without_the_extension_dlibs_network_runs_with_a_recipe_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTENSION], capture_output=True, text=True, check=True)
    name, other = done.stdout.split()
    assert name == "dlib"
    assert other != recipe(Settings(dataset="sample"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    write(tmp_path / "photos", {"a.jpg": np.zeros((1, 128), np.float32)})
    return Run("run", MemoryState("run"), Storage(str(tmp_path / "run")), kernels=KernelChoice.DLIB)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dataset=str(tmp_path / "photos"), face_pixels=False)


class NewWorkers(VectorWorkers):
    """As before the first photo."""

    used = False


@needs_native
def test_a_machine_without_the_native_network_is_refused_by_a_run_that_has_it(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(run, settings)
    monkeypatch.setattr(network, "usable_kernels", list)
    with pytest.raises(Conflict, match="on machines with the same network_code"):
        embed(run, 0, VectorWorkers())


@pytest.mark.parametrize("native", [True, False])
def test_a_run_by_dlibs_own_network_says_so(
    run: Run, settings: Settings, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "usable_kernels", lambda: ["avx2"] if native else [])
    plan(run, settings)
    with capture_logs() as logs:
        embed(run, 0, NewWorkers())
    assert (network.WITHOUT_NATIVE in [each["event"] for each in logs]) is not native


def test_the_earlier_name_of_the_embedder_still_works() -> None:
    settings = Settings.of(dataset="sample", embedder="onnx")
    assert settings.embedder is EmbedderName.DLIB
    assert recipe(settings) == recipe(Settings(dataset="sample"))
