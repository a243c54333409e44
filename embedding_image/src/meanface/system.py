"""The machine: memory and processors, and the limits of a confined process."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1 << 20

CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""of control groups of version 2 and version 1, in bytes"""
CPU_LIMITS = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)
"""of control groups of version 2 and version 1: microseconds of processor time per period"""

FILES = 16
"""files that a worker may open besides those it has"""

_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


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
