"""The deployment's settings: one frozen object. Only this module reads the environment and Airflow's configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any

SECTION = "meanface"
"""of Airflow's configuration"""


class Runtime(StrEnum):
    """How stages run."""

    KUBERNETES = "kubernetes"
    """each stage is a pod with the embedding image"""
    PROCESS = "process"
    """each stage is a child process of its task"""


def _runtime(text: str) -> Runtime:
    try:
        return Runtime(text)
    except ValueError:
        raise ValueError(f"expected {' or '.join(Runtime)}") from None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("expected a whole number, 0 or more")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _json(start: str) -> Callable[[str], Any]:
    """A parser of JSON objects or lists, by their first bracket."""

    def read(text: str) -> Any:
        if not text.lstrip().startswith(start):
            raise ValueError(f"expected JSON that starts with {start}")
        return json.loads(text)

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How stages are run; the DAG's params decide what they compute.

    A field is set by the environment variable `MEANFACE_` plus its name in capitals, or by its name
    in the section `[meanface]` of Airflow's configuration. The values of `resources`,
    `node_selector`, `tolerations` and `affinity` are JSON in Kubernetes' own terms.
    """

    runtime: Runtime = Runtime.KUBERNETES
    pool: str = "default_pool"
    """the stages' pool; a pool with `include_deferred` also limits the number of pods"""
    storage: str = ""
    """folder or fsspec address of the runs' files, as the stages see it"""
    workers: int = 0
    """worker processes of an embed stage; 0 for one per CPU that the stage may use"""
    private_addresses: str = ""
    """private networks that datasets may reach, such as 10.1.0.0/16, separated by commas;
    `allow` for all, empty for none"""
    kernels: str = ""
    """`auto`, `native`, `avx512`, `avx2`, `dotprod`, `neon` or `dlib`; empty for the fastest ones"""
    storage_connection: str | None = None
    """Airflow connection (type `aws`, `google_cloud_platform` or `wasb`) with the credentials of the
    buckets that stages use"""
    redis_patience: str = ""
    """seconds for which a stage retries while Redis is unavailable; empty for the stage's
    default"""
    env: dict[str, str] = field(default_factory=dict)
    """further environment variables of the stages; do not put credentials here"""
    dag_params: dict[str, Any] = field(default_factory=dict)
    """params of the project's own DAG `meanface`, as JSON by the names of the trigger form, such as
    `dataset` and `series`; a DAG of your own gets them by `mean_face_dag(params=...)`"""

    executable: str = "meanface"
    """process runtime: path or name of the command `meanface`"""
    cache: str = ""
    """process runtime: folder of the detector's derived weights; empty for the command's default"""

    image: str = "meanface:latest"
    """the embedding image"""
    former_image: str = ""
    """the embedding image of runs that an earlier version has planned, which did not keep it"""
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    """names, separated by commas"""
    kubernetes_connection: str | None = None
    """Airflow connection to the pods' cluster; None for the cluster that Airflow runs in, or that
    `KUBECONFIG` names"""
    in_cluster: bool = False
    """whether this process runs in the pods' cluster; detected, not set"""
    namespace: str | None = None
    """of the pods; None for the namespace that Airflow runs in"""
    instance: str = "meanface"
    """value of the pods' label `app.kubernetes.io/instance`"""
    service_account: str | None = None
    priority_class: str | None = None
    resources: dict[str, Any] = field(default_factory=dict)
    """`requests` and `limits`"""
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[dict[str, Any]] = field(default_factory=list)
    affinity: dict[str, Any] = field(default_factory=dict)
    pod_template: str | None = None
    """file with a pod manifest, to which these settings are applied"""
    redis_secret: str = "meanface-redis"  # noqa: S105  the name of a Secret, not its content
    """Secret whose key `url` is the URL of Redis"""
    redis_ca_secret: str | None = None
    """Secret that is mounted in `/etc/meanface-redis`, for `ssl_ca_certs` in the URL of Redis"""
    storage_claim: str | None = None
    """PersistentVolumeClaim that is mounted at `storage`"""
    storage_secret: str | None = None
    """Secret whose keys become environment variables of the stages, for the storage's
    credentials"""
    poll_interval: int = 5
    """seconds between two polls of a running pod"""
    lost_pod_seconds: int = 600
    """seconds for which a pod may be `Terminating` beyond its grace period; then its node counts as
    lost, and the stage runs again"""

    def __post_init__(self) -> None:
        if self.storage_claim and not self.storage.startswith("/"):
            raise ValueError(
                f"MEANFACE_STORAGE: {self.storage!r}: expected a folder such as /storage, "
                "because MEANFACE_STORAGE_CLAIM is mounted there"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], section: Mapping[str, str] | None = None) -> Settings:
        """Read settings from `MEANFACE_*` variables, and from a section of Airflow's configuration.

        A variable takes precedence; an empty one counts as absent.

        Raises
        ------
        ValueError
            with the name of the invalid variable or option

        >>> Settings.from_environment({"MEANFACE_RUNTIME": "process", "MEANFACE_WORKERS": "4"}).workers
        4
        """
        values: dict[str, Any] = {}
        for each in fields(cls):
            variable = f"MEANFACE_{each.name.upper()}"
            if text := environment.get(variable) or (section or {}).get(each.name):
                try:
                    values[each.name] = _PARSERS.get(each.name, str)(text)
                except ValueError as invalid:
                    place = variable if environment.get(variable) else f"[{SECTION}] {each.name}"
                    raise ValueError(f"{place}: {text!r}: {invalid}") from None
        other_cluster = values.get("kubernetes_connection") or environment.get("KUBECONFIG")
        values["in_cluster"] = "KUBERNETES_SERVICE_HOST" in environment and not other_cluster
        return cls(**values)

    def shared_environment(self) -> dict[str, str]:
        """The environment variables that stages have under both runtimes."""
        variables = {
            "MEANFACE_STORAGE": self.storage,
            "MEANFACE_PRIVATE_ADDRESSES": self.private_addresses,
            "MEANFACE_KERNELS": self.kernels,
            "MEANFACE_REDIS_PATIENCE": self.redis_patience,
        }
        return self.env | {name: value for name, value in variables.items() if value}


_PARSERS: dict[str, Callable[[str], Any]] = {
    "runtime": _runtime,
    "workers": _number,
    "poll_interval": _number,
    "lost_pod_seconds": _number,
    "image_pull_secrets": _names,
    "resources": _json("{"),
    "node_selector": _json("{"),
    "tolerations": _json("["),
    "affinity": _json("{"),
    "env": _json("{"),
    "dag_params": _json("{"),
}
"""Parsers of the fields that are not plain text."""


@cache
def settings() -> Settings:
    """The settings of this process."""
    from airflow.sdk.configuration import conf

    section = conf.getsection(SECTION) or {}
    return Settings.from_environment(os.environ, {name: str(value) for name, value in section.items() if value})
