"""What a worker process may take and do while it decodes what others wrote.

A worker confines itself once its models are loaded: more memory than a photo within bounds needs is refused to it, as
are files beyond a few, further processes and threads, core dumps (they hold photos), and privileges by way of another
program. What goes wrong then is about one photo. Limits of memory need Linux; elsewhere there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meanface.system import MIB

if TYPE_CHECKING:
    from meanface.settings import Settings

BYTES_PER_PIXEL = 64
"""The most that decoding takes is 18 (WebP), and dlib's own detector 52; docs/sizing.md has what was measured."""
SPARE = 256 * MIB
"""for what does not grow with the photo"""
PARENT = 384 * MIB
"""of a container's memory, for the process that reads ahead"""

PASSED = frozenset({"PATH", "HOME", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "XDG_CACHE_HOME"})
PASSED_PREFIXES = ("LC_", "LD_", "PYTHON", "OMP_", "OPENBLAS_", "ORT_", "CUDA_", "NVIDIA_", "MEANFACE_")
WITHHELD = frozenset({"MEANFACE_REDIS_URL", "MEANFACE_STORAGE"})


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
