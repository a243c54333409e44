"""The deployment's settings: one frozen object, the only reader of the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any


class Runtime(StrEnum):
    """Where stages run."""

    KUBERNETES = "kubernetes"
    """each stage is a pod of the embedding image"""
    PROCESS = "process"
    """each stage is a process beside the task that runs it"""


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a whole number")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _json(start: str) -> Callable[[str], Any]:
    """Reader of JSON that starts with this bracket, an object's or a list's."""

    def read(text: str) -> Any:
        if not text.lstrip().startswith(start):
            raise ValueError(f"expected JSON that starts with {start}")
        return json.loads(text)

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How stages are run; what they compute is decided by the DAG's params.

    A field is set by the variable `MEANFACE_` and its name in capitals. What Kubernetes has its own words for
    (`resources`, `node_selector`, `tolerations`, `affinity`) is JSON in these words.
    """

    runtime: Runtime = Runtime.KUBERNETES
    pool: str = "default_pool"
    """the stages' pool; one with `include_deferred` also limits pods"""
    storage: str = ""
    """folder or fsspec address for the runs' files, as the stages see it"""
    workers: int = 0
    """worker processes of an embed stage; 0 leaves it to the stage, which takes every CPU it may use"""
    private_addresses: str = ""
    """what datasets may reach besides public addresses: networks such as 10.1.0.0/16 with commas between them, or
    `allow`; empty leaves it to the stage, which refuses"""
    detector: str = ""
    """who finds faces: `auto`, `native`, `avx512`, `avx2` or `dlib`; empty leaves it to the stage, which takes the
    fastest"""
    redis_patience: str = ""
    """seconds that Redis may stay away; empty leaves it to the stage"""
    env: dict[str, str] = field(default_factory=dict)
    """more environment of the stages, by name; no place for credentials"""

    executable: str = "meanface"
    """process runtime: the command, by path or name"""
    cache: str = ""
    """process runtime: folder of the converted network; empty for the command's own default"""

    image: str = "meanface:latest"
    """the embedding image"""
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    """names, separated by commas"""
    kubernetes_connection: str | None = None
    """Airflow connection to the pods' cluster; None for the one Airflow runs in, or that `KUBECONFIG` names"""
    in_cluster: bool = False
    """whether the pods' cluster is the one this process runs in; found out, not set"""
    namespace: str | None = None
    """of the pods; None for the one Airflow runs in"""
    instance: str = "meanface"
    """the pods' label `app.kubernetes.io/instance`"""
    service_account: str | None = None
    priority_class: str | None = None
    resources: dict[str, Any] = field(default_factory=dict)
    """`requests` and `limits`"""
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    affinity: dict[str, Any] = field(default_factory=dict)
    pod_template: str | None = None
    """file with a pod of which the settings change what they speak of"""
    redis_secret: str = "meanface-redis"  # noqa: S105  the name of a Secret, not its content
    """Secret whose key `url` is the address of Redis"""
    redis_ca_secret: str | None = None
    """Secret whose keys are mounted as files in `/etc/meanface-redis`, for the address' `ssl_ca_certs`"""
    storage_claim: str | None = None
    """claim that is mounted at `storage`"""
    storage_secret: str | None = None
    """Secret whose keys become the stages' environment, for the storage's credentials"""
    poll_interval: int = 5
    """seconds between two looks at a running pod"""

    def __post_init__(self) -> None:
        if self.storage_claim and not self.storage.startswith("/"):
            raise ValueError(f"MEANFACE_STORAGE: {self.storage!r} is no folder to mount MEANFACE_STORAGE_CLAIM at")

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
        given: dict[str, Any] = {}
        for each in fields(cls):
            variable = f"MEANFACE_{each.name.upper()}"
            if text := environment.get(variable):
                try:
                    given[each.name] = _PARSERS.get(each.name, str)(text)
                except ValueError as wrong:
                    raise ValueError(f"{variable}: {text!r}: {wrong}") from None
        elsewhere = given.get("kubernetes_connection") or environment.get("KUBECONFIG")
        given["in_cluster"] = "KUBERNETES_SERVICE_HOST" in environment and not elsewhere
        return cls(**given)

    def of_stages(self) -> dict[str, str]:
        """What stages of both runtimes are told, as their environment."""
        told = {
            "MEANFACE_STORAGE": self.storage,
            "MEANFACE_PRIVATE_ADDRESSES": self.private_addresses,
            "MEANFACE_DETECTOR": self.detector,
            "MEANFACE_REDIS_PATIENCE": self.redis_patience,
        }
        return self.env | {name: value for name, value in told.items() if value}


_PARSERS: dict[str, Callable[[str], Any]] = {
    "runtime": Runtime,
    "workers": _number,
    "poll_interval": _number,
    "image_pull_secrets": _names,
    "resources": _json("{"),
    "node_selector": _json("{"),
    "tolerations": _json("["),
    "affinity": _json("{"),
    "env": _json("{"),
}
"""How a variable's text becomes a field; the others are text."""


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.of(os.environ)
