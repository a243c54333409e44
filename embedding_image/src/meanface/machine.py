"""The machine's instruction set, as far as it decides the last bits of an embedding.

ONNX Runtime takes other kernels on another instruction set, and they add in another order: of the same chip, AVX2 and
AVX-512 make embeddings that are about 1e-7 apart. Photos, boxes and chips do not depend on it. On x86 its kernels go by
the levels below. ARM has none of the kind, and which features decide a kernel changes with ONNX Runtime from version to
version: there, machines with other features are taken for other machines, be it needlessly.
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
    """The x86-64 level of this machine's processor; on ARM its type and features; without Linux, the machine's type.

    Two machines on Linux with the same answer take the same kernels.
    """
    try:
        cpuinfo = CPUINFO.read_text()
    except OSError:
        return platform.machine()
    return level(cpuinfo) or " ".join([platform.machine(), *sorted(_named(cpuinfo, "Features") or ())])


def level(cpuinfo: str) -> str | None:
    """The x86-64 level in the text of Linux' `/proc/cpuinfo`; None where it names no flags.

    >>> level("flags : fpu cx16 popcnt sse4_1 sse4_2 ssse3 avx avx2")
    'x86-64-v2'
    """
    flags = _named(cpuinfo, "flags")
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


def _named(cpuinfo: str, line: str) -> set[str] | None:
    """The words of the first line of that name; None where there is none."""
    return next((set(one.partition(":")[2].split()) for one in cpuinfo.splitlines() if one.startswith(line)), None)
