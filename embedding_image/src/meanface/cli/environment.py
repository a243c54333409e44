"""The environment of the stages, read in one place.

`MEANFACE_REDIS_URL`, `MEANFACE_REDIS_PATIENCE` (seconds that Redis may stay away),
`MEANFACE_STORAGE` (folder or address of the runs' files), `MEANFACE_CACHE` (folder of the converted
network), `MEANFACE_DETECTOR` (who finds faces: `auto`, `native`, `avx512`, `avx2`, `dlib`),
`MEANFACE_PRIVATE_ADDRESSES` (what datasets may reach besides public addresses, see
`meanface.dataset.network_policy`; `refuse`, but for `meanface run`, `nearest` and `compare`, where
a person types the address, `dataset`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meanface.dataset.network_policy import VARIABLE as PRIVATE_ADDRESSES
from meanface.dataset.network_policy import NetworkPolicy
from meanface.errors import SettingsError

if TYPE_CHECKING:
    from meanface.embedder.detector import DetectorChoice
    from meanface.pipeline.run import Run


def opened_run(name: str) -> Run:
    """Open the run of that name, with the state and storage that the environment names."""
    from meanface.pipeline.run import Run
    from meanface.state.redis import RedisState
    from meanface.storage.files import Storage
    from meanface.storage.layout import checked_name, files_of

    def required(variable: str, example: str) -> str:
        value = os.environ.get(variable)
        if not value:
            raise SettingsError(f"the environment has no {variable}; set it, for example to {example}")
        return value

    checked_name(name)
    redis = required("MEANFACE_REDIS_URL", "redis://localhost:6379/0")
    shared = Storage(absolute(required("MEANFACE_STORAGE", "/var/lib/meanface or s3://bucket/meanface")))
    try:
        patience = float(os.environ.get("MEANFACE_REDIS_PATIENCE", "300"))
    except ValueError as wrong:
        raise SettingsError(f"MEANFACE_REDIS_PATIENCE is a number of seconds: {wrong}") from None
    state = RedisState.connect(redis, name, patience=patience)
    return Run(name, state, files_of(shared, name), cache(), shared, detector(), network_policy("refuse"))


def cache() -> str | None:
    """Folder of the converted network, where one is named."""
    return os.environ.get("MEANFACE_CACHE")


def detector() -> DetectorChoice:
    """Who is to find faces."""
    from meanface.embedder.detector import DetectorChoice

    return DetectorChoice.of(os.environ.get("MEANFACE_DETECTOR"))


def network_policy(default: str) -> NetworkPolicy:
    """Where photos may be."""
    return NetworkPolicy.of(os.environ.get(PRIVATE_ADDRESSES) or default)


def absolute(address: str) -> str:
    """The address; of a folder, its whole path."""
    return address if "://" in address else str(Path(address).absolute())
