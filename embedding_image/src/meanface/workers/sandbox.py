"""Limits of a worker process, which decodes untrusted bytes.

A worker confines itself once its models are loaded. It may allocate the memory that a photo within
bounds needs, and open a few files; it may not start processes or threads, dump core (with photos in
it), or gain privileges by another program. So an attack or a defect affects one photo. Memory
limits need Linux; elsewhere there are none.
"""

from __future__ import annotations

from collections.abc import Mapping

from meanface.photo_settings import DetectorName, LandmarksName, is_card
from meanface.settings import Settings
from meanface.system import MIB

BYTES_PER_PIXEL = 64
"""Decoding takes at most 18 (WebP), dlib's own detector 52; docs/sizing.md has the measurements. A photo
that is doubled more than once counts as many pixels as it then has, a quarter of them (`decode`)."""
CNN_BYTES_PER_PIXEL = 176
"""the CNN detector takes 170 for all levels of its pyramid; a model card may name it, and YuNet takes 53"""
SPARE = 256 * MIB
"""for memory that does not grow with the photo; and for the models"""
LARGE_LANDMARKS = 128 * MIB
"""for the model of 68 landmarks, which takes 92 MiB"""
CARD_NETWORKS = 384 * MIB
"""for ONNX Runtime and the networks of a model card; those of ArcFace have up to 250 MiB"""
PARENT = 384 * MIB
"""of a container's memory, for the process that reads photos ahead"""

PASSED = frozenset({"PATH", "HOME", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "XDG_CACHE_HOME"})
PASSED_PREFIXES = ("LC_", "LD_", "PYTHON", "OMP_", "OPENBLAS_", "ORT_", "CUDA_", "NVIDIA_", "MEANFACE_")
WITHHELD = frozenset({"MEANFACE_REDIS_URL", "MEANFACE_STORAGE"})


def environment(parent: Mapping[str, str]) -> dict[str, str]:
    """A worker's environment, without Redis' password and the storage's keys."""
    return {
        name: value
        for name, value in parent.items()
        if (name in PASSED or name.startswith(PASSED_PREFIXES)) and name not in WITHHELD
    } | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def worker_memory(settings: Settings, workers: int, container: int | None) -> int:
    """Bytes that a worker may allocate for a photo, besides its models.

    In a container (a limit in bytes; None for no limit) it is no more than a worker's share:
    otherwise the kernel would kill the whole container, with the photos of all workers.
    """
    hog = settings.detector is DetectorName.HOG and not is_card(settings.embedder)
    each = BYTES_PER_PIXEL if hog else CNN_BYTES_PER_PIXEL
    needed = each * settings.max_pixels + 2 * settings.max_bytes + SPARE
    if container is None:
        return needed
    share = (container - PARENT) // workers - _models(settings)
    return min(needed, max(share, SPARE))


def memory_alone(settings: Settings, workers: int, container: int | None) -> int:
    """Bytes that a worker may allocate while the others are idle; at least `worker_memory`."""
    return worker_memory(settings, 1, None if container is None else container - (workers - 1) * _models(settings))


def _models(settings: Settings) -> int:
    """Bytes of a worker's models."""
    if is_card(settings.embedder):
        return SPARE + CARD_NETWORKS
    return SPARE + (LARGE_LANDMARKS if settings.landmarks is LandmarksName.LARGE else 0)
