"""A server-side dry run of every feature of the chart."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts/meanface"
CASES = sorted(CHART.glob("ci/*-values.yaml"))
NAMESPACE = "meanface-dry-run"
FOREIGN = ("HTTPRoute", "PodMonitor", "PrometheusRule")
"""kinds that a cluster has only with a Gateway, or with Prometheus' operator"""


@pytest.fixture(scope="module")
def namespace(cluster: None) -> Iterator[str]:
    """An empty namespace."""
    subprocess.run(["kubectl", "create", "namespace", NAMESPACE], check=True, capture_output=True, timeout=30)
    yield NAMESPACE
    subprocess.run(["kubectl", "delete", "namespace", NAMESPACE], check=True, capture_output=True, timeout=120)


def documents(text: str) -> list[dict[str, Any]]:
    """Objects of a YAML text."""
    return [each for each in yaml.safe_load_all(text) if each]


def release(values: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
    """The objects and hooks that `helm install` would create in this cluster.

    If it lacks a foreign kind, Helm stops: then the others are rendered without the cluster.
    """
    with helm.Config(namespace=namespace) as config, helm.Chart.load(CHART) as chart:
        files = chart.render(values, name="demo", namespace=namespace)
        rendered = [each for path, text in files.items() if not path.endswith(".txt") for each in documents(text)]
        try:
            installed = config.install(chart, "demo", values, namespace=namespace, dry_run="server")
        except helm.HelmReleaseError as refused:
            kinds = set(re.findall('no matches for kind "([^"]+)"', str(refused)))
            if not kinds or not kinds <= set(FOREIGN):
                raise
            return [each for each in rendered if each["kind"] not in kinds]
    hooks = [each for each in rendered if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    return documents(installed["manifest"]) + hooks


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem.removesuffix("-values"))
def test_the_server_accepts_every_object(namespace: str, case: Path) -> None:
    """By server-side apply, as Helm does it: unknown fields are errors, and so are keys left to a
    default.
    """
    objects = release(yaml.safe_load(case.read_text()), namespace)
    command = ["kubectl", "-n", namespace, "apply", "--server-side", "--dry-run=server", "-o", "name", "-f", "-"]
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    done = subprocess.run(command, input=manifests, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == len(objects) >= 8
