"""Environment variables, read in one place.

- `MEANFACE_REDIS_URL`
- `MEANFACE_REDIS_PATIENCE`: seconds that an outage of Redis may last
- `MEANFACE_METRICS_TOKEN`: bearer token that `meanface metrics` requires
- `MEANFACE_STORAGE`: folder or address of the runs' files
- `MEANFACE_CACHE`: folder of the detector's derived weights
- `MEANFACE_KERNELS`: a name of `meanface.embedder.kernels.KernelChoice`
- `MEANFACE_PRIVATE_ADDRESSES`: what datasets may reach besides public addresses, see
  `meanface.dataset.network_policy`; by default `refuse`, and `dataset` for `meanface run`,
  `identify` and `compare`, where a person types the address
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from meanface.errors import SettingsError

if TYPE_CHECKING:
    from meanface.dataset.network_policy import NetworkPolicy
    from meanface.embedder.kernels import KernelChoice
    from meanface.pipeline.run import Run


def opened_run(name: str) -> Run:
    """Open the run of that name, with the state and storage that the environment names."""
    from meanface.extras import optional

    optional("redis", "a stage of a cluster", "redis")
    from meanface.pipeline.run import Run
    from meanface.state.redis import RedisState
    from meanface.storage.files import Storage
    from meanface.storage.layout import checked_name, files_of

    checked_name(name)
    redis = redis_url()
    shared = Storage(absolute(_required("MEANFACE_STORAGE", "/var/lib/meanface or s3://bucket/meanface")))
    try:
        patience = float(os.environ.get("MEANFACE_REDIS_PATIENCE", "300"))
    except ValueError as wrong:
        raise SettingsError(f"MEANFACE_REDIS_PATIENCE is a number of seconds: {wrong}") from None
    state = RedisState.connect(redis, name, patience=patience)
    return Run(name, state, files_of(shared, name), cache(), shared, kernels(), network_policy("refuse"))


def redis_url() -> str:
    """Return the URL of Redis."""
    return _required("MEANFACE_REDIS_URL", "redis://localhost:6379/0")


def metrics_token() -> str | None:
    """Return the bearer token that readers of the metrics need, if it is set."""
    return os.environ.get("MEANFACE_METRICS_TOKEN") or None


def _required(variable: str, example: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise SettingsError(f"the environment has no {variable}; set it, for example to {example}")
    return value


def cache() -> str | None:
    """Return the folder of the detector's derived weights, if it is set."""
    return os.environ.get("MEANFACE_CACHE")


def kernels() -> KernelChoice:
    """Return the chosen kernels."""
    from meanface.embedder.kernels import KernelChoice

    return KernelChoice.of(os.environ.get("MEANFACE_KERNELS"))


def network_policy(default: str) -> NetworkPolicy:
    """Return which network addresses photos may have."""
    from meanface.dataset.network_policy import VARIABLE, NetworkPolicy

    return NetworkPolicy.of(os.environ.get(VARIABLE) or default)


def absolute(address: str) -> str:
    """Make a local path absolute, with the slash at its end; leave other addresses as they are."""
    if "://" in address:
        return address
    slash = "/" if address.endswith("/") and address.strip("/") else ""
    return f"{Path(address).absolute()}{slash}"
