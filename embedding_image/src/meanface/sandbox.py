"""What a worker process may take and do while it decodes what others wrote.

A worker confines itself once its models are loaded: more memory than a photo within bounds needs is refused to it, as
are files beyond a few, further processes and threads, core dumps (they hold photos), and privileges by way of another
program. What goes wrong then is about one photo. Limits of memory need Linux; elsewhere there are none.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from meanface.outcome import Outcome
from meanface.photoresult import PhotoResult

if TYPE_CHECKING:
    from meanface.settings import Settings

MIB = 1 << 20
BYTES_PER_PIXEL = 64
"""The most that decoding takes is 18 (WebP), and dlib's own detector 52; docs/sizing.md has what was measured."""
SPARE = 256 * MIB
"""for what does not grow with the photo"""
PARENT = 384 * MIB
"""of a container's memory, for the process that reads ahead"""
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""of control groups of version 2, and of version 1"""
FILES = 16
"""that a worker may have open besides those it has"""

PASSED = frozenset({"PATH", "HOME", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "XDG_CACHE_HOME"})
PASSED_PREFIXES = ("LC_", "LD_", "PYTHON", "OMP_", "OPENBLAS_", "ORT_", "CUDA_", "NVIDIA_", "MEANFACE_")
WITHHELD = frozenset({"MEANFACE_REDIS_URL", "MEANFACE_STORAGE"})

Found = TypeVar("Found")

_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def environment(parent: Mapping[str, str]) -> dict[str, str]:
    """A worker's environment: who decodes hostile bytes need know neither Redis' password nor the storage's keys."""
    return {
        name: value
        for name, value in parent.items()
        if (name in PASSED or name.startswith(PASSED_PREFIXES)) and name not in WITHHELD
    } | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def photo_memory(settings: Settings) -> int:
    """Bytes that a photo of `max_pixels` and `max_bytes` may take."""
    return BYTES_PER_PIXEL * settings.max_pixels + 2 * settings.max_bytes + SPARE


def worker_memory(settings: Settings, workers: int, container: int | None) -> int:
    """Bytes that a worker may take for a photo, besides its models.

    In a container it is no more than a worker's share: the kernel would end the whole container, photos of the other
    workers and all.

    Parameters
    ----------
    container
        bytes that the container may take; None for no limit

    >>> from meanface.settings import Settings
    >>> worker_memory(Settings(dataset="sample", max_pixels=10_000_000, max_bytes=1), 2, None) // MIB
    866
    >>> worker_memory(Settings(dataset="sample"), 2, 2048 * MIB) // MIB
    576
    """
    needed = photo_memory(settings)
    if container is None:
        return needed
    share = (container - PARENT) // workers - SPARE  # the models'
    return min(needed, max(share, SPARE))


def memory_alone(settings: Settings, workers: int, container: int | None) -> int:
    """Bytes that a worker may take for a photo while the others have none; at least `worker_memory`.

    >>> from meanface.settings import Settings
    >>> memory_alone(Settings(dataset="sample"), 2, 2048 * MIB) // MIB
    1152
    """
    return worker_memory(settings, 1, None if container is None else container - (workers - 1) * SPARE)


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


def within_limits(work: Callable[[], Found]) -> Found | PhotoResult:
    """What is found in a photo; of one that takes more memory than there is, that."""
    try:
        return work()
    except MemoryError:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0] // MIB
        return PhotoResult(Outcome.CRASHED, f"took more memory than a worker may ({limit:,} MiB)")


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
