"""Every feature renders and passes `helm lint`, and its objects have their labels."""

from __future__ import annotations

import tomllib

import helm_python as helm
import yaml

from .conftest import CASES, CHART, CHARTS

OTHERS = {"postgresql": "database", "redis": "redis"}
NAME, INSTANCE, COMPONENT = (f"app.kubernetes.io/{label}" for label in ("name", "instance", "component"))


def test_lint(values):
    report = helm.lint(CHART, values, strict=True, namespace="faces", kube_version="v1.31.0")
    assert [each for each in report["messages"] if each["severity"] > 1] == []


def test_objects_have_names_and_labels(rendered):
    seen = [(each["kind"], each["metadata"]["name"]) for each in rendered.objects]
    assert len(seen) == len(set(seen)) >= 8
    for each in rendered.objects:
        labels = each["metadata"]["labels"]
        assert (labels[NAME], labels[INSTANCE]) == ("meanface", "demo")
        assert labels["app.kubernetes.io/part-of"] == "meanface"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("meanface-")


def test_selectors_match_their_pods(rendered):
    for name, each in rendered.of("StatefulSet").items():
        selector = each["spec"]["selector"]["matchLabels"]
        assert selector.items() <= each["spec"]["template"]["metadata"]["labels"].items()
        service = rendered.of("Service")[each["spec"]["serviceName"]]
        assert service["spec"]["selector"] == selector, name
        ports = [port["name"] for c in each["spec"]["template"]["spec"]["containers"] for port in c.get("ports", ())]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)


def test_the_longest_release_name_makes_names_that_fit(chart):
    name = "r" * 53
    files = chart.render({}, name=name, namespace="faces")
    texts = [text for path, text in files.items() if not path.endswith(".txt")]
    names = {each["metadata"]["name"] for text in texts for each in yaml.safe_load_all(text) if each}
    assert max(map(len, names)) <= 52  # with `-` and a hash it must fit a label of 63 characters


def test_there_are_values_for_every_feature():
    named = {case.name.removesuffix("-values.yaml") for case in CASES}
    wanted = {"default", "database", "external-database", "external-redis"}
    wanted |= {"s3", "quota", "pod-template", "ingress", "network-policy"}
    assert named >= wanted


def test_versions_are_those_of_the_distribution():
    project = tomllib.loads((CHARTS.parent / "embedding_image/pyproject.toml").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == project["project"]["version"]


def test_checksums_restart_only_the_affected_pods(render):
    def checksums(**values):
        pods = render(values).pods()
        return {
            kind: {k: v for k, v in pod["metadata"]["annotations"].items() if k.startswith("checksum/")}
            for kind, pod in pods.items()
            if kind.startswith("StatefulSet")
        }

    secrets = {section: {"existingSecret": "keys"} for section in ("airflow", "database", "redis")}
    before = checksums(**secrets)
    assert checksums(**secrets) == before
    after = checksums(**secrets, stages={"workers": 3})
    for other in ("redis", "postgresql"):
        assert after[f"StatefulSet/demo-meanface-{other}"] == before[f"StatefulSet/demo-meanface-{other}"]
    assert after["StatefulSet/demo-meanface-airflow"] != before["StatefulSet/demo-meanface-airflow"]
    others = {"existingSecret": "others"}
    assert checksums(**secrets | {"airflow": others}) != before
    database = checksums(**secrets | {"database": others})
    assert database["StatefulSet/demo-meanface-redis"] == before["StatefulSet/demo-meanface-redis"]
    for user in ("airflow", "postgresql"):
        assert database[f"StatefulSet/demo-meanface-{user}"] != before[f"StatefulSet/demo-meanface-{user}"]
    larger = checksums(**secrets | {"redis": {"existingSecret": "keys", "maxmemory": "2gb"}})
    assert larger["StatefulSet/demo-meanface-redis"] != before["StatefulSet/demo-meanface-redis"]


def test_artifact_hub_knows_the_images_of_others():
    """It scans them; they are those of the defaults."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    listed = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    used = {name: f"{values[key]['image']['repository']}:{values[key]['image']['tag']}" for name, key in OTHERS.items()}
    assert {each["name"]: each["image"] for each in listed} == used
