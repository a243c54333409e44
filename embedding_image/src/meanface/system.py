"""The machine's instruction set, as far as it decides the last bits of an embedding.

ONNX Runtime takes other kernels on another instruction set, and they add in another order: of the same chip, AVX2 and
AVX-512 make embeddings that are about 1e-7 apart. Photos, boxes and chips do not depend on it. On x86 its kernels go by
the levels below. ARM has none of the kind, and which features decide a kernel changes with ONNX Runtime from version to
version: there, machines with other features are taken for other machines, be it needlessly.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


MIB = 1 << 20


CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""of control groups of version 2, and of version 1"""


FILES = 16
"""that a worker may have open besides those it has"""


_NO_NEW_PRIVS = 38


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def container_memory() -> int | None:
    """Bytes that this process's control group may take (what Kubernetes limits set); None for no limit."""
    for limit in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # of version 2, `max` is none; of version 1, a number beyond all memory
            if (found := int(limit.read_text())) < 1 << 60:
                return found
    return None


def confine(memory: int, alone: int) -> None:
    """Give up, for good, what this process does not need to decode photos.

    Parameters
    ----------
    memory
        bytes that it may take from now on
    alone
        bytes up to which `give` may raise that
    """
    taken = _taken()
    if taken is not None:
        _lower(resource.RLIMIT_DATA, taken + alone)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (min(taken + memory, hard), hard))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_NOFILE, _first_free_file() + FILES)
    if _LIBC is not None and _LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError("cannot give up further privileges (PR_SET_NO_NEW_PRIVS)")


@contextmanager
def bounded(more: int) -> Iterator[None]:
    """Have whatever takes more than so many bytes more, until the block ends, fail with a `MemoryError`."""
    taken = _taken()
    if taken is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [limit for limit in (soft, taken + more) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def give(process: int, more: int) -> int:
    """Let a confined process take so many bytes more (or less), within what it has not given up; how many they are."""
    if not more or _LIBC is None:
        return 0
    try:
        soft, hard = resource.prlimit(process, resource.RLIMIT_DATA)
        given = min(soft + more, hard) - soft
        resource.prlimit(process, resource.RLIMIT_DATA, (soft + given, hard))
    except OSError:  # it has died, say: who waits for its answer will see
        return 0
    return given


def has_room(memory: int) -> bool:
    """Whether this process may still take so many bytes."""
    limit, taken = resource.getrlimit(resource.RLIMIT_DATA)[0], _taken()
    return taken is None or limit == resource.RLIM_INFINITY or taken + memory <= limit


def _lower(kind: int, limit: int) -> None:
    """Set a limit that nobody without privileges can raise again."""
    hard = resource.getrlimit(kind)[1]
    lower = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (lower, lower))


def _taken() -> int | None:
    """Bytes of private memory that the kernel counts for RLIMIT_DATA."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmData:")), None)


def _first_free_file() -> int:
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    return free


CPU_LIMITS = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)
"""Of control groups of version 2, and of version 1: microseconds of processor time, of how many."""


def available_cpus() -> int:
    """Processors this process may use: its affinity, and its control group's quota (what Kubernetes limits set)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in CPU_LIMITS:
        with suppress(OSError, ValueError):  # of version 2, `max` is none; of version 1, -1
            quota, period = map(int, " ".join(file.read_text() for file in files).split())
            if quota > 0:
                return max(1, min(affinity, round(quota / period)))
    return affinity
