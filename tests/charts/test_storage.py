"""Where the runs' files are, and on which nodes stages can therefore run."""

from __future__ import annotations

import json

import pytest
import yaml

from meanface_airflow.pod import pod_settings
from meanface_airflow.settings import Settings

from .conftest import CHART, CHARTS

MANY = {"storage": {"claim": {"accessModes": ["ReadWriteMany"]}}}
BUCKET = {"storage": {"url": "s3://b/m"}}
MINE = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}


def airflow(release):
    """Specification of Airflow's pod, and its labels."""
    template = release.pods()["StatefulSet/demo-meanface-airflow"]
    return template["spec"], template["metadata"]["labels"]


def stages_affinity(release):
    """The affinity of the stages' pods."""
    return json.loads(release.environment["MEANFACE_AFFINITY"])


@pytest.mark.parametrize("name", ["demo-meanface-storage", "photos"])
def test_the_api_server_reads_what_stages_write(render, name):
    """So the claim is bound during `helm install --wait`, and the page can serve the report."""
    existing = {"storage": {"claim": {"existingClaim": "photos" if name == "photos" else ""}}}
    release = render(existing)
    spec, _ = airflow(release)
    (volume,) = [each for each in spec["volumes"] if "persistentVolumeClaim" in each]
    assert volume["persistentVolumeClaim"] == {"claimName": name}
    mounts = {c["name"]: [m for m in c["volumeMounts"] if m["name"] == volume["name"]] for c in spec["containers"]}
    folder = Settings.from_environment(release.environment).storage
    assert mounts.pop("api-server") == [{"name": volume["name"], "mountPath": folder, "readOnly": True}]
    assert not any(mounts.values())


def test_airflow_and_stages_give_volumes_to_one_group(render):
    """With two groups, each start of a pod would change the group of all files."""
    release = render()
    stages = pod_settings(Settings.from_environment(release.environment))["security_context"]
    assert airflow(release)[0]["securityContext"]["fsGroup"] == stages.fs_group


def test_a_bucket_is_mounted_nowhere(render):
    spec, _ = airflow(render(BUCKET))
    assert not [each for each in spec["volumes"] if "persistentVolumeClaim" in each]
    assert not [m for c in spec["containers"] for m in c["volumeMounts"] if m["mountPath"] == "/storage"]


def test_stages_are_beside_airflow_where_the_claim_is_for_one_node(render):
    release = render()
    (term,) = stages_affinity(release)["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    spec, labels = airflow(release)
    assert term["labelSelector"]["matchLabels"].items() <= labels.items()
    (wish,) = spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert wish["podAffinityTerm"]["labelSelector"]["matchExpressions"][0]["values"] == ["plan", "embed", "reduce"]


@pytest.mark.parametrize("values", [MANY, BUCKET, {"airflow": {"enabled": False}}])
def test_stages_are_free_elsewhere(render, values):
    """Also with another Airflow, because this chart does not know its pod."""
    release = render(values)
    assert stages_affinity(release) == {}
    if release.of("StatefulSet").get("demo-meanface-airflow"):
        assert "affinity" not in airflow(release)[0]


def test_an_affinity_in_the_values_counts(render):
    assert stages_affinity(render({"stages": {"affinity": MINE}})) == MINE
    template = {"apiVersion": "v1", "kind": "Pod", "spec": {"affinity": MINE}}
    assert stages_affinity(render({"stages": {"podTemplate": template}})) == {}
    assert airflow(render({"airflow": {"affinity": MINE}}))[0]["affinity"] == MINE


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "all stages run on Airflow's node"),
        ({"airflow": {"enabled": False}}, "set stages.affinity"),
        (MANY, None),
        (BUCKET, None),
    ],
)
def test_the_notes_explain_where_stages_run(chart, values, sentence):
    text = chart.render(values, name="demo", namespace="faces")["meanface/templates/NOTES.txt"]
    assert (sentence in " ".join(text.split())) if sentence else "Only one node" not in text


def test_a_pod_that_never_got_ready_is_replaced(rendered):
    """Otherwise no upgrade repairs a failed install: kubernetes/kubernetes#67250."""
    for each in rendered.of("StatefulSet").values():
        assert each["spec"]["podManagementPolicy"] == "Parallel"


def test_the_message_of_a_full_quota_is_documented(render):
    """operations.md explains the quota's message."""
    quota = render(yaml.safe_load((CHART / "ci/quota-values.yaml").read_text())).of("ResourceQuota")["demo-meanface"]
    assert quota["spec"]["hard"].keys() == {"pods", "requests.cpu", "requests.memory"}
    paragraphs = (CHARTS.parent / "docs/operations.md").read_text().split("\n\n")
    (explained,) = [text for text in paragraphs if "exceeded quota" in text]
    assert "quota.hard" in explained
