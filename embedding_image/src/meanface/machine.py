"""The machine's instruction set, as far as it decides the last bits of an embedding.

ONNX Runtime takes other kernels on another instruction set, and they add in another order: of the same chip, AVX2 and
AVX-512 make embeddings that are about 1e-7 apart. Photos, boxes and chips do not depend on it.
"""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

LEVELS = {
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"},
    "x86-64-v2": {"cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"},
}
"""What each level asks for, highest first, in Linux' names; each contains those below it.

Source: System V Application Binary Interface, AMD64 Architecture Processor Supplement, section 3.1.1.
"""


def instruction_set() -> str:
    """The x86-64 level of this machine's processor; elsewhere than on Linux and x86, the machine's type.

    Two machines with the same answer take the same kernels.
    """
    try:
        return level(CPUINFO.read_text()) or platform.machine()
    except OSError:
        return platform.machine()


def level(cpuinfo: str) -> str | None:
    """The x86-64 level in the text of Linux' `/proc/cpuinfo`; None where it names no flags.

    >>> level("flags : fpu cx16 popcnt sse4_1 sse4_2 ssse3 avx avx2")
    'x86-64-v2'
    """
    flags = next(
        (set(line.partition(":")[2].split()) for line in cpuinfo.splitlines() if line.startswith("flags")), None
    )
    if flags is None:
        return None
    wanted: set[str] = set()
    reached = "x86-64"
    for name, needs in reversed(LEVELS.items()):
        wanted |= needs
        if not wanted <= flags:
            break
        reached = name
    return reached
