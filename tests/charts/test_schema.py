"""The schema has every value and refuses all others, and the defaults are valid."""

from __future__ import annotations

import copy
import json
from typing import Any

import helm_python as helm
import jsonschema
import pytest
import yaml

from .conftest import CHART

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, after following its reference."""
    while "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def mappings(schema: dict[str, Any], at: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every mapping that the schema describes key by key, with its path."""
    if schema.get("$ref", "").endswith("/egressRule"):  # all of its keys are optional
        return []
    schema = resolved(schema)
    if "properties" not in schema or "podTemplate" in at:
        return []
    below = [each for key, value in schema["properties"].items() for each in mappings(value, f"{at}.{key}")]
    return [(at, schema), *below]


def test_the_schema_is_valid():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(DEFAULTS, SCHEMA)


@pytest.mark.parametrize(("at", "schema"), mappings(SCHEMA), ids=[at or "top" for at, _ in mappings(SCHEMA)])
def test_schema_and_values_have_the_same_keys(at, schema):
    found = DEFAULTS
    for key in at.split(".")[1:]:
        found = found.get(key, {})
    optional = {"global"} if not at else set()
    assert set(schema["properties"]) - optional == set(found)
    assert schema.get("additionalProperties") is False or "allOf" in schema


@pytest.mark.parametrize("at", [at for at, _ in mappings(SCHEMA)], ids=lambda at: at or "top")
def test_unknown_values_are_refused(chart, at):
    values: dict[str, Any] = {"unheard-of": 1}
    for key in reversed(at.split(".")[1:]):
        values = {key: values}
    with pytest.raises(helm.HelmError, match="unheard-of"):
        chart.render(values, name="demo", namespace="faces")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("airflow.parallelism", 0),
        ("airflow.image.pullPolicy", "Sometimes"),
        ("airflow.image.tag", "a b"),
        ("airflow.baseUrl", "https://host/airflow"),
        ("airflow.ingress.enabled", True),  # without a host
        ("airflow.service.type", "ExternalName"),
        ("airflow.scheduler.resources", {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "much"}}),
        ("airflow.existingSecret", "Upper_Case"),
        ("airflow.scheduler.replicas", 0),
        ("airflow.triggerer.extraEnv", [{"value": "nameless"}]),
        ("airflow.triggerer.extraVolumes", [{"emptyDir": {}}]),
        ("airflow.logs.url", "gs://bucket/logs"),  # its client is not in the image
        ("airflow.databaseCleanup.schedule", "daily"),
        ("airflow.databaseCleanup.keepDays", 0),
        ("airflow.httpRoute.enabled", True),  # without a Gateway
        ("airflow.topologySpread", [{"topologyKey": "zone"}]),
        ("extraObjects", [1]),
        ("airflow.extraEnv", [{"value": "nameless"}]),
        ("database.external.secret", 1),
        ("database.image.tag", ""),
        ("database.config", {"max connections": 1}),
        ("database.config", {"listen_addresses": ["*"]}),
        ("imageRegistry", "registry.example"),
        ("redis.image.tag", ""),
        ("redis.maxmemory", "half"),
        ("storage.url", "bucket"),
        ("storage.url", "gs://bucket"),  # its file system is not in the image
        ("storage.url", "s3://key:secret@bucket"),
        ("storage.claim.accessModes", []),
        ("storage.claim.accessModes", ["ReadWriteOncePod"]),  # the page reads what stages write
        ("stages.resources", {"requests": {"cpu": True}}),
        ("stages.resources", {"requests": {"cpu": -1}}),
        ("stages.env", {"NUMBER": 1}),
        ("stages.workers", -1),
        ("stages.pool.slots", 0),
        ("stages.podTemplate", {"spec": {}}),
        ("networkPolicy.stages.egress", [{"ports": [{"prot": 1}]}]),
        ("networkPolicy.redis.from", [{}]),
        ("rbac.subjects", [{"namespace": "airflow"}]),
        ("quota.hard", {"pods": [3]}),
    ],
)
def test_wrong_values_are_refused(chart, path, wrong):
    values: Any = wrong
    for key in reversed(path.split(".")):
        values = {key: values}
    with pytest.raises(helm.HelmError, match="schema"):
        chart.render(values, name="demo", namespace="faces")


def test_quantities_may_be_numbers(render):
    """As in `cpu: 2` in a file, or `--set ...cpu=2`."""
    two = {"requests": {"cpu": 2, "memory": 2147483648}, "limits": {"cpu": 2.5, "memory": "2Gi"}}
    release = render({"stages": {"resources": two}, "quota": {"enabled": True, "hard": {"pods": 3}}})
    assert json.loads(release.environment["MEANFACE_RESOURCES"]) == two
    assert release.of("ResourceQuota")["demo-meanface"]["spec"]["hard"]["pods"] == 3


def test_every_default_can_be_given(chart):
    chart.validate_schema(copy.deepcopy(DEFAULTS))
