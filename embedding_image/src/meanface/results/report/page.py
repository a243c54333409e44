"""Render the page from templates; the template engine escapes every name."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from meanface.outcome import Outcome
from meanface.results.report import charts, recognition, recognition_charts
from meanface.results.report.drawing import Chart
from meanface.results.report.words import command, count, figure, percent, pieces, plural, rate, setting, shortened
from meanface.results.result import ResultRecord, Throughput
from meanface.results.scan import Failure
from meanface.stats.models import FaceAt, Statistics
from meanface.stats.moments import Moments

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True)
class Material:
    """A result, and what else the report shows."""

    result: ResultRecord
    moments: Moments
    failures: Mapping[Outcome, Sequence[Failure]] = field(default_factory=dict)
    """the first failed photos of each outcome"""
    throughput: Sequence[Throughput] = ()
    """by partition"""
    mean_face: bytes | None = None
    """PNG of the aligned faces' size"""
    thumbnails: Mapping[FaceAt, bytes] = field(default_factory=dict)
    """JPEG of the aligned nearest and farthest faces; some may be missing"""
    components: Mapping[str, str] = field(default_factory=dict)
    """of the recipe: `meanface.embedder.recipe.identity_of`"""


def html(material: Material) -> str:
    """Render the page; equal material gives equal bytes."""
    result = material.result
    statistics = result.statistics or Statistics()
    context = {
        "result": result,
        "statistics": statistics,
        "missing": statistics.missing,
        "charts": _charts(material, statistics),
        "mean_face": _data("image/png", material.mean_face),
        "pictures": {at: _data("image/jpeg", jpeg) for at, jpeg in material.thumbnails.items()},
        "norm": math.hypot(*result.mean),
        "outcomes": [(one, photos) for one, photos in result.outcomes.items() if photos or one is Outcome.OK],
        "failures": {
            outcome: (result.outcomes[outcome], named) for outcome, named in sorted(material.failures.items())
        },
        "components": _components(material, statistics),
        "centres": _centres(material, statistics),
        "explained": _explained(statistics),
        "throughput": _throughput(material.throughput),
        "recipe": {
            "recipe": result.recipe,
            "fingerprint": result.fingerprint,
            **material.components,
        },
        "settings": {name: setting(name, value) for name, value in result.settings.items()},
        "command": command(result.settings),
        **recognition.context(statistics.recognition),
        "passing": sum(number for outcome, number in result.outcomes.items() if outcome.passing),
    }
    return template().render(context)


@cache
def template() -> Template:
    """Return the page's template; the first call compiles all its parts, which takes longer than filling them."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("meanface.results.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in (shortened, pieces, count, plural, figure, percent, rate)}
    parts = {name: environment.get_template(name) for name in environment.list_templates(["j2"])}
    return parts["report.html.j2"]


def _charts(material: Material, statistics: Statistics) -> dict[str, Chart]:
    result = material.result
    error = None if result.standard_error is None else np.array(result.standard_error)
    labels = statistics.labels
    by_label = np.array(labels.cluster_standard_error) if labels and labels.cluster_standard_error else None
    drawn = {"mean": charts.mean_vector(np.array(result.mean), error, by_label)}
    if statistics.variances is not None:
        drawn["scree"] = charts.scree(np.array(statistics.variances))
        if len(result.mean) > 1:
            drawn["covariance"] = charts.covariance(material.moments.covariance())
    if statistics.distances is not None and any(statistics.distances.counts):
        drawn["distances"] = charts.distances(statistics.distances)
    if statistics.recognition is not None:
        drawn["accepts"] = recognition_charts.accepts(statistics.recognition)
        drawn["thresholds"] = recognition_charts.thresholds(statistics.recognition)
    if sum(each.rate is not None for each in material.throughput) > 1:
        drawn["throughput"] = charts.throughput(material.throughput)
    return drawn


def _components(material: Material, statistics: Statistics) -> list[tuple[int, float, float | None, float | None]]:
    result, labels = material.result, statistics.labels
    nothing = [None] * len(result.mean)
    errors = result.standard_error or nothing
    by_label = (labels and labels.cluster_standard_error) or nothing
    return [(index, *row) for index, row in enumerate(zip(result.mean, errors, by_label, strict=True))]


def _centres(material: Material, statistics: Statistics) -> list[dict[str, Any]]:
    """List robust centres, and standard errors for scale: name, computation, distance."""
    rows = []
    if robust := statistics.robust:
        median = robust.geometric_median
        ended = f"{median.iterations} iterations of Weiszfeld" + ("" if median.converged else ", not converged")
        cut = f"{100 * robust.trimmed_fraction:.0f} % of each component's values cut off at either side"
        rows += [
            {"name": "trimmed mean", "how": cut, "distance": robust.trimmed_mean.distance_to_mean},
            {"name": "geometric median", "how": ended, "distance": median.distance_to_mean},
        ]
    if labels := statistics.labels:
        how = f"each of {labels.labels:,} labels counts once"
        rows.append({"name": "label-balanced mean", "how": how, "distance": labels.distance_to_mean})
    if error := material.result.standard_error:
        how = "root of the summed squares of all components; faces independent"
        rows.append({"name": "for scale: standard error of the mean", "how": how, "distance": math.hypot(*error)})
        if robust and robust.sample_step > 1:
            length = math.hypot(*error) * math.sqrt(material.result.faces / robust.faces)
            rows.append({"name": "for scale: that of the sample's mean", "how": "of fewer faces", "distance": length})
    if (labels := statistics.labels) and labels.cluster_standard_error:
        how = "the same; labels independent, and not the faces of one label"
        length = math.hypot(*labels.cluster_standard_error)
        rows.append({"name": "for scale: standard error by label", "how": how, "distance": length})
    return rows


def _explained(statistics: Statistics) -> dict[str, Any] | None:
    if statistics.variances is None:
        return None
    variances = np.array(statistics.variances)
    cumulative = np.cumsum(variances) / variances.sum()
    return {
        "total": float(variances.sum()),
        "first": float(100 * cumulative[0]),
        "half": int(np.searchsorted(cumulative, 0.5)) + 1,
        "most": int(np.searchsorted(cumulative, 0.9)) + 1,
        "effective": float(variances.sum() ** 2 / (variances**2).sum()),
    }


def _throughput(partitions: Sequence[Throughput]) -> dict[str, Any] | None:
    rates = [each.rate for each in partitions if each.rate is not None]
    if not rates:
        return None
    return {
        "partitions": partitions,
        "slowest": min(rates),
        "median": float(np.median(rates)),
        "fastest": max(rates),
        "computed": sum(each.computed for each in partitions),
        "seconds": sum(each.seconds for each in partitions if each.rate is not None),
    }


def _data(kind: str, data: bytes | None) -> str | None:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if data else None
