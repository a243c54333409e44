"""The chart, loaded once, and its rendered manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml

CHARTS = Path(__file__).parents[2] / "charts"
CHART = CHARTS / "meanface"
CASES = sorted(CHART.glob("ci/*-values.yaml"))
Manifest = dict[str, Any]


class Rendered:
    """The objects of a release."""

    def __init__(self, objects: list[Manifest]) -> None:
        self.objects = objects

    def of(self, kind: str) -> dict[str, Manifest]:
        """Objects of a kind, by name."""
        return {each["metadata"]["name"]: each for each in self.objects if each["kind"] == kind}

    def pods(self) -> dict[str, Manifest]:
        """Pod templates, by kind and name of their controllers."""
        found = {}
        for each in self.objects:
            name = f"{each['kind']}/{each['metadata']['name']}"
            if each["kind"] in ("StatefulSet", "Deployment", "DaemonSet", "Job"):
                found[name] = each["spec"]["template"]
            elif each["kind"] == "CronJob":
                found[name] = each["spec"]["jobTemplate"]["spec"]["template"]
        return found

    @property
    def environment(self) -> dict[str, str]:
        """Airflow's environment without secrets."""
        return self.of("ConfigMap")["demo-meanface"]["data"]


@pytest.fixture(scope="session")
def chart() -> Iterator[helm.Chart]:
    """The chart."""
    with helm.Chart.load(CHART) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def render(chart: helm.Chart):
    """Renders values, without a cluster, as release `demo` in namespace `faces`."""

    def rendered(values: dict[str, Any] | None = None) -> Rendered:
        files = chart.render(values or {}, name="demo", namespace="faces")
        texts = [text for path, text in files.items() if not path.endswith(".txt")]
        return Rendered([each for text in texts for each in yaml.safe_load_all(text) if each])

    return rendered


@pytest.fixture(params=CASES, ids=lambda path: path.stem.removesuffix("-values"))
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Values of one feature."""
    return yaml.safe_load(request.param.read_text())


@pytest.fixture
def rendered(values: dict[str, Any], render) -> Rendered:
    """The release with one feature."""
    return render(values)
