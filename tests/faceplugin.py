"""The networks of the npm package faceplugin-face-recognition-js, and the card of its embedder in docs/models.md."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import platformdirs
import pytest

from zoo import example

PACKAGE = "faceplugin-face-recognition-js@0.0.1"
DETECTOR, LANDMARKS, EMBEDDER = "fr_detect.onnx", "fr_landmark.onnx", "fr_feature.onnx"


def faceplugin() -> Path:
    """The folder with the three files and `faceplugin.toml`; filled once; skips the test without npm or a network."""
    folder = Path(platformdirs.user_cache_path("meanface-tests")) / "faceplugin"
    folder.mkdir(parents=True, exist_ok=True)
    files = (DETECTOR, LANDMARKS, EMBEDDER)
    if not all((folder / name).exists() for name in files):
        if shutil.which("npm") is None:
            pytest.skip(f"npm is not installed, which fetches {PACKAGE}")
        with tempfile.TemporaryDirectory() as place:
            done = subprocess.run(
                ["npm", "pack", "--silent", PACKAGE], cwd=place, check=False, capture_output=True, text=True
            )
            if done.returncode:
                pytest.skip(f"{PACKAGE} cannot be fetched: {done.stderr.strip()[-200:]}")
            with tarfile.open(Path(place) / done.stdout.split()[-1]) as package:
                for name in files:
                    data = package.extractfile(f"package/model/{name}")
                    assert data is not None
                    (folder / name).write_bytes(data.read())
    (folder / "faceplugin.toml").write_text(example("An embedder of npm, with dlib's detector"))
    return folder
