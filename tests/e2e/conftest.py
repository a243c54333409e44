"""A cluster, the chart installed on it, photos in its storage.

`KUBECONFIG` is the cluster. `IMAGE_REGISTRY` and `IMAGE_TAG` are those of `make images`; the
cluster must be able to pull these images. Without a registry, an image that is built here replaces
PostgreSQL's official one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from photos import CHECKOUT, Desk, here
from release import NAMESPACE, STANDS_IN, VALUES, Release

import postgresql_image

LFW = CHECKOUT.parent / "shared" / "lfw-2000.tgz"


@pytest.fixture(scope="session")
def cluster() -> None:
    """Skips tests that need a cluster if there is none."""
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set")
    subprocess.run(["kubectl", "get", "--raw", "/readyz"], check=True, capture_output=True, timeout=30)
    if STANDS_IN:
        postgresql_image.build()


@pytest.fixture(scope="session")
def release(cluster: None) -> Iterator[Release]:
    """The chart with a storage claim, ready."""
    with Release(NAMESPACE, VALUES).installed() as release:
        yield release


@pytest.fixture(scope="session")
def desk(release: Release) -> Desk:
    """A pod with access to the storage."""
    return Desk(release.namespace)


@pytest.fixture(scope="session")
def lfw(desk: Desk) -> str:
    """2,000 photos of LFW, in the cluster."""
    if not LFW.exists():
        pytest.skip("shared/lfw-2000.tgz is not beside the checkout")
    return desk.put("/storage/datasets/lfw-2000.tgz", LFW.read_bytes())


@pytest.fixture(scope="session")
def lfw_here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of a local run over LFW's photos."""
    if not LFW.exists():
        pytest.skip("shared/lfw-2000.tgz is not beside the checkout")
    return here(LFW, tmp_path_factory.mktemp("lfw"))
