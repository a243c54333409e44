"""The native detector is built wherever it can be: without it, its other tests would be skipped silently."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from meanface.embedder.detector import usable_kernels

COMPILER = shutil.which("g++") or shutil.which("c++")
CPU = Path("/proc/cpuinfo")

HOW_TO_SEE = "uv pip install --verbose --no-deps --reinstall ./embedding_image shows what the compiler says"


def lacking() -> str:
    """What this machine lacks to have the native detector; nothing if it could have it."""
    flags = set(CPU.read_text().split()) if CPU.exists() else set()
    has = {
        "an x86-64 processor with AVX2 and FMA, or a 64-bit ARM": platform.machine() in ("aarch64", "arm64")
        or {"avx2", "fma"} <= flags,
        "a C++ compiler": COMPILER is not None,
        "Python's headers": Path(sysconfig.get_path("include"), "Python.h").exists(),
    }
    return ", ".join(name for name, there in has.items() if not there)


@pytest.mark.skipif(bool(lacking()), reason=f"for a native detector this machine lacks {lacking()}")
def test_the_native_detector_is_there() -> None:
    """Set-up goes on when the build fails: here it must not have failed."""
    code = "import meanface.embedder._native"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    why = (done.stderr.strip().splitlines() or ["it runs none of its kernels on this CPU"])[-1]
    assert usable_kernels(), f"{COMPILER} is there, but the native detector was not built: {why}; {HOW_TO_SEE}"
