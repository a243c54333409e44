"""The deployment's settings: one frozen object, the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache


class Runtime(StrEnum):
    """Where stages run."""

    KUBERNETES = "kubernetes"
    """each stage is a pod of the embedding image"""
    PROCESS = "process"
    """each stage is a process beside the task that runs it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How stages are run; what they compute is decided by the DAG's params."""

    runtime: Runtime = Runtime.KUBERNETES
    pool: str = "default_pool"
    """the stages' pool; one with `include_deferred` also limits pods"""
    storage: str = ""
    """folder or fsspec address for the runs' files, as the stages see it"""
    workers: int = 0
    """worker processes of an embed stage; 0 leaves it to the stage, which takes every CPU it may use"""

    executable: str = "meanface"
    """process runtime: the command, by path or name"""
    cache: str = ""
    """process runtime: folder of the converted network; empty for the command's own default"""

    image: str = "meanface:latest"
    """kubernetes runtime: the embedding image"""
    namespace: str | None = None
    """kubernetes runtime: the pods' namespace; None for the one Airflow runs in"""
    pod_template: str | None = None
    """kubernetes runtime: file with the pods' volumes, resources and security context"""
    redis_secret: str = "meanface-redis"  # noqa: S105  the name of a Secret, not its content
    """kubernetes runtime: Secret whose key `url` is the address of Redis"""
    storage_secret: str | None = None
    """kubernetes runtime: Secret whose keys become the pods' environment, for the storage's credentials"""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Settings from `MEANFACE_*` variables; an empty one counts as absent.

        Raises
        ------
        ValueError
            naming the variable that cannot be used

        >>> Settings.of({"MEANFACE_RUNTIME": "process", "MEANFACE_WORKERS": "4"}).workers
        4
        """
        given = {
            name: value for name in cls.__dataclass_fields__ if (value := environment.get(f"MEANFACE_{name.upper()}"))
        }
        try:
            runtime = Runtime(given.pop("runtime", Runtime.KUBERNETES))
        except ValueError as unknown:
            raise ValueError(f"MEANFACE_RUNTIME: {unknown}; expected one of {', '.join(Runtime)}") from None
        workers = given.pop("workers", "0")
        if not workers.isdecimal():
            raise ValueError(f"MEANFACE_WORKERS: {workers!r} is not a number of processes")
        return cls(runtime=runtime, workers=int(workers), **given)


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.of(os.environ)
