"""Render the chart with its defaults and each of its `ci/` values, for manifest checkers.

Usage: python scripts/render_chart.py FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import helm_python as helm
import yaml

CHART = Path(__file__).parents[1] / "charts/meanface"


def render(folder: Path) -> None:
    """Write all manifests, in one folder for each set of values."""
    shutil.rmtree(folder, ignore_errors=True)
    cases = {"default": {}} | {each.stem: yaml.safe_load(each.read_text()) for each in CHART.glob("ci/*-values.yaml")}
    with helm.Chart.load(CHART) as chart:
        for name, values in cases.items():
            (folder / name).mkdir(parents=True)
            for path, text in chart.render(values or {}, name="meanface", namespace="faces").items():
                if path.endswith(".yaml") and text.strip():
                    (folder / name / Path(path).name).write_text(text)


if __name__ == "__main__":
    render(Path(sys.argv[1]))
