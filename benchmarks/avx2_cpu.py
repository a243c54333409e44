"""Let all code of a process, and of those that it starts, see a CPU without AVX-512.

`MEANFACE_KERNELS=avx2` limits meanface's own code only. For a fair comparison with a CPU of an
earlier generation, NumPy, ONNX Runtime and other libraries must not use AVX-512 either.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks import ROOT

LIBRARY = ROOT / ".cache/bench/avx2_cpu.so"
GLIBC = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ"
"""the C library looks before anything can be preloaded"""


def environment() -> dict[str, str]:
    """The variables for such a process; RuntimeError if this machine cannot do it."""
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_suffix(".c")
    compiled = ["cc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", str(source), "-o", str(LIBRARY)]
    variables = {"LD_PRELOAD": str(LIBRARY), "GLIBC_TUNABLES": GLIBC}
    try:
        subprocess.run(compiled, check=True, capture_output=True, text=True)
        subprocess.run(["true"], env=os.environ | variables, check=True, capture_output=True, text=True)
    except OSError as error:
        raise RuntimeError(f"a C compiler is needed: {error}") from None
    except subprocess.CalledProcessError as error:
        raise RuntimeError(error.stderr.strip()) from None
    return variables


def confined() -> bool:
    """Whether this process is one."""
    return os.environ.get("LD_PRELOAD") == str(LIBRARY)


def main() -> None:
    """Run `meanface` so, with its workers, which do not inherit the variables."""
    from meanface.cli import app
    from meanface.workers import process

    passed = [f"{name}={os.environ[name]}" for name in ("LD_PRELOAD", "GLIBC_TUNABLES")]
    # The constant's type is a shorter tuple.
    process.COMMAND = ("env", *passed, *process.COMMAND)  # type: ignore[assignment]  # the tuple gets longer
    app.main()


if __name__ == "__main__":
    sys.exit(main())
