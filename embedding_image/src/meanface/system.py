"""The machine: instruction set, memory and processors, and the limits of a confined process."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1 << 20

CPUINFO = Path("/proc/cpuinfo")
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""of control groups of version 2 and version 1, in bytes"""
CPU_LIMITS = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)
"""of control groups of version 2 and version 1: microseconds of processor time per period"""

FILES = 16
"""files that a worker may open besides those it has"""

LEVELS = {
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"},
    "x86-64-v2": {"cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"},
}
"""Flags that each level adds to the one below, highest first, by their names in Linux.

Source: System V Application Binary Interface, AMD64 Architecture Processor Supplement, section
3.1.1.
"""

_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def instruction_set() -> str:
    """The x86-64 level of this processor; on ARM type and features; without Linux the machine type.

    It decides the last bits of an embedding. ONNX Runtime has kernels for each level, which add in
    different orders: embeddings of one chip on AVX2 and AVX-512 differ by about 1e-7. (Photos,
    boxes and chips do not depend on it.) Machines on Linux with equal values use the same kernels.
    On ARM, the features that choose a kernel change with ONNX Runtime's version, so all of them
    count.
    """
    try:
        cpuinfo = CPUINFO.read_text()
    except OSError:
        return platform.machine()
    return level(cpuinfo) or " ".join([platform.machine(), *sorted(_words(cpuinfo, "Features") or ())])


def level(cpuinfo: str) -> str | None:
    """The x86-64 level in the text of Linux' `/proc/cpuinfo`; None if it has no flags."""
    flags = _words(cpuinfo, "flags")
    if flags is None:
        return None
    reached = "x86-64"
    for name, needs in reversed(LEVELS.items()):
        if not needs <= flags:
            break
        reached = name
    return reached


def _words(cpuinfo: str, line: str) -> set[str] | None:
    """The words of the first line of that name; None if there is none."""
    return next((set(one.partition(":")[2].split()) for one in cpuinfo.splitlines() if one.startswith(line)), None)


def available_cpus() -> int:
    """Processors for this process, by affinity and control group (Kubernetes limits)."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in CPU_LIMITS:
        with suppress(OSError, ValueError):  # no limit is `max` in version 2, and -1 in version 1
            quota, period = map(int, " ".join(file.read_text() for file in files).split())
            if quota > 0:
                return max(1, min(affinity, round(quota / period)))
    return affinity


def container_memory() -> int | None:
    """Memory limit of the control group (Kubernetes limits) in bytes; None for no limit."""
    for limit in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # no limit: `max` in version 2, huge in version 1
            if (found := int(limit.read_text())) < 1 << 60:
                return found
    return None


def confine(memory: int, alone: int) -> None:
    """Permanently drop all privileges and resources that decoding photos does not need.

    From now on it may allocate `memory` more bytes; `give` may raise that limit to `alone`.
    """
    allocated = _allocated()
    if allocated is not None:
        _lower(resource.RLIMIT_DATA, allocated + alone)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (min(allocated + memory, hard), hard))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NPROC, 0)
    first_free = os.open(os.devnull, os.O_RDONLY)
    os.close(first_free)
    _lower(resource.RLIMIT_NOFILE, first_free + FILES)
    if _LIBC is not None and _LIBC.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError("cannot give up further privileges (PR_SET_NO_NEW_PRIVS)")


@contextmanager
def bounded(more: int) -> Iterator[None]:
    """Until the block ends, raise MemoryError in what allocates more than `more` further bytes."""
    allocated = _allocated()
    if allocated is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [limit for limit in (soft, allocated + more) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def give(process: int, more: int) -> int:
    """Raise or lower a confined process's memory limit by `more` bytes; returns the change.

    The limit stays within what the process has kept in `confine`.
    """
    if not more or _LIBC is None:
        return 0
    try:
        soft, hard = resource.prlimit(process, resource.RLIMIT_DATA)
        given = min(soft + more, hard) - soft
        resource.prlimit(process, resource.RLIMIT_DATA, (soft + given, hard))
    except OSError:  # a dead process is noticed by those that wait for its result
        return 0
    return given


def has_room(memory: int) -> bool:
    """Whether this process may allocate this many more bytes."""
    limit, allocated = resource.getrlimit(resource.RLIMIT_DATA)[0], _allocated()
    return allocated is None or limit == resource.RLIM_INFINITY or allocated + memory <= limit


def _lower(kind: int, limit: int) -> None:
    """Lower a limit, soft and hard: an unprivileged process cannot raise it again."""
    hard = resource.getrlimit(kind)[1]
    lower = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (lower, lower))


def _allocated() -> int | None:
    """Bytes of private memory that Linux counts for RLIMIT_DATA; None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmData:")), None)
