"""The same bits on an x86-64 processor that lacks what this one has, by emulation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meanface.embedder.network import usable_kernels

EMBED = """
import sys
from pathlib import Path
from meanface.embedder.decode import decode
from meanface.embedder.embedder import DlibEmbedder, detect_faces
from meanface.photo_settings import FaceRules
from meanface.settings import Settings
photo = decode(Path(sys.argv[1]).read_bytes(), Settings(dataset="sample"))
embedder = DlibEmbedder()
detection = detect_faces(embedder, photo, FaceRules())
(chip,) = detection.chips.values()
print(embedder._network.name, detection.found, embedder.embed([chip]).tobytes().hex(), sep=";")
"""


@pytest.mark.long
@pytest.mark.skipif(not usable_kernels(), reason="the native network is not there")
@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="qemu-x86_64 (Debian: qemu-user) is not installed")
def test_an_older_x86_finds_the_same_face_with_the_same_bits(portrait_files: list[Path]) -> None:
    """The whole way from a file to an embedding, as C's library has other code for an older processor, too."""
    command = [sys.executable, "-c", EMBED, str(portrait_files[0])]
    here, there = (
        subprocess.run([*emulator, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        for emulator in ([], ["qemu-x86_64", "-cpu", "Haswell"])
    )
    assert there.stdout.startswith("native-avx2;")
    assert there.stdout.split(";")[1:] == here.stdout.split(";")[1:]
