"""Airflow's components as Deployments with replicas, and what each component has of its own."""

from __future__ import annotations

import json
import re

import helm_python as helm
import pytest
import yaml

from .conftest import CHART
from .test_network import admitted, matches, pod, policy

PRODUCTION = yaml.safe_load((CHART / "ci/production-values.yaml").read_text())
PROCESSES = {
    "apiServer": "api-server",
    "scheduler": "scheduler",
    "dagProcessor": "dag-processor",
    "triggerer": "triggerer",
}
MANY = {"storage": {"url": "s3://b/m"}}


@pytest.fixture(scope="module")
def production(render):
    return render(PRODUCTION)


def deployments(release):
    """Airflow's Deployments, by the name of their component."""
    found = release.of("Deployment")
    return {process: found[f"demo-meanface-{process}"]["spec"] for process in PROCESSES.values()}


def labels(process):
    """Labels of a component's pods that policies and selectors use."""
    return pod("airflow") | {"meanface/process": process}


def test_each_component_is_a_deployment_of_its_own(production):
    found = deployments(production)
    assert not [name for name in production.of("StatefulSet") if name.endswith("-airflow")]
    for value, process in PROCESSES.items():
        assert found[process]["replicas"] == PRODUCTION["airflow"][value]["replicas"]
        assert [each["name"] for each in found[process]["template"]["spec"]["containers"]] == [process]


def test_a_selector_matches_the_pods_of_one_component(production):
    found = deployments(production)
    for process, spec in found.items():
        pods = {other: each["template"]["metadata"]["labels"] for other, each in found.items()}
        chosen = [other for other, labels in pods.items() if matches(spec["selector"], labels)]
        assert chosen == [process]


def test_the_service_has_ready_api_servers_only(production):
    service = production.of("Service")["demo-meanface-airflow"]["spec"]
    found = deployments(production)
    chosen = {
        process
        for process, spec in found.items()
        if service["selector"].items() <= spec["template"]["metadata"]["labels"].items()
    }
    assert chosen == {"api-server"}
    assert "publishNotReadyAddresses" not in service


def test_the_components_find_the_api_server_by_the_service(render):
    release = render(MANY | {"airflow": {"separate": True, "service": {"port": 80}}})
    address = "demo-meanface-airflow.faces.svc:80"
    assert release.environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"http://{address}/execution/"
    (scheduler,) = deployments(release)["scheduler"]["template"]["spec"]["containers"]
    assert address in scheduler["command"]


def test_logs_of_running_tasks_are_read_by_address(production):
    """Names of pods of a Deployment have no record in DNS."""
    assert production.environment["AIRFLOW__CORE__HOSTNAME_CALLABLE"] == "airflow.utils.net.get_host_ip_address"
    spec = policy(production, labels("scheduler"))
    served = {"logs", "trigger-logs"}
    assert admitted(spec["ingress"], "from", labels("api-server")) == {"http", *served}
    assert admitted(spec["ingress"], "from", labels("triggerer")) == {"http"}
    assert admitted(spec["ingress"], "from", {"app": "stranger"}) == {"http"}


def test_components_reach_the_api_server_where_the_ui_is_restricted(render):
    narrow = {"networkPolicy": {"airflow": {"from": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}}}
    for separate in (True, False):
        spec = policy(render(MANY | narrow | {"airflow": {"separate": separate}}), labels("api-server"))
        assert "http" in admitted(spec["ingress"], "from", {"app": "proxy"})
        assert "http" in admitted(spec["ingress"], "from", pod("test"))
        assert ("http" in admitted(spec["ingress"], "from", labels("scheduler"))) is separate
        assert not admitted(spec["ingress"], "from", {"app": "stranger"})


def test_schedulers_migrate_the_database_and_the_others_wait(production):
    for process, spec in deployments(production).items():
        names = [each["name"] for each in spec["template"]["spec"]["initContainers"]]
        assert ("migrate" in names) is ("pool" in names) is (process == "scheduler")
        assert ("migrated" in names) is (process != "scheduler")
        assert names.index("database") < len(names) - 1


def test_only_components_that_read_or_write_logs_have_the_buckets_keys(production):
    for process, spec in deployments(production).items():
        pod = spec["template"]["spec"]
        (container,) = pod["containers"]
        keys = {"secretRef": {"name": "storage-keys"}}
        assert (keys in container["envFrom"]) is (process != "dag-processor")
        assert not [each for each in pod["initContainers"] if keys in each["envFrom"]]


def test_logs_go_to_the_bucket(render):
    bucket = render({"airflow": {"logs": {"url": "s3://b/logs"}}}).environment
    assert bucket["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == "s3://b/logs"
    assert bucket["AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS"] == "bucket_logs.LOGGING_CONFIG"
    assert bucket["AIRFLOW__LOGGING__DELETE_LOCAL_LOGS"] == "True"
    assert not [name for name in render().environment if re.search("REMOTE|CONFIG_CLASS|DELETE_LOCAL", name)]


def test_a_pod_of_each_component_may_be_evicted_at_a_time(render, production):
    found = production.of("PodDisruptionBudget")
    assert len(found) == 4
    for process, spec in deployments(production).items():
        budget = found[f"demo-meanface-{process}"]["spec"]
        assert (budget["maxUnavailable"], budget["selector"]) == (1, spec["selector"])
    one = {"separate": True, "podDisruptionBudget": {"enabled": True}, "scheduler": {"replicas": 2}}
    assert list(render(MANY | {"airflow": one}).of("PodDisruptionBudget")) == ["demo-meanface-scheduler"]


def test_the_pods_of_a_component_are_spread(production):
    for spec in deployments(production).values():
        constraints = spec["template"]["spec"]["topologySpreadConstraints"]
        keys = {each["topologyKey"] for each in constraints}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        for each in constraints:
            assert each["whenUnsatisfiable"] == "ScheduleAnyway"
            assert each["labelSelector"] == spec["selector"]


@pytest.mark.parametrize("separate", [True, False])
def test_a_component_has_its_own_environment_and_volumes(render, separate):
    own = {
        "extraEnv": [{"name": "OWN", "value": "1"}],
        "extraVolumes": [{"name": "own", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "own", "mountPath": "/own"}],
    }
    release = render(MANY | {"airflow": {"separate": separate, "triggerer": own}})
    component = "app.kubernetes.io/component"
    specs = [each["spec"] for each in release.pods().values() if each["metadata"]["labels"][component] == "airflow"]
    containers = {each["name"]: json.dumps(each) for spec in specs for each in spec["containers"]}
    assert containers.keys() == set(PROCESSES.values())
    assert {name for name, text in containers.items() if '"OWN"' in text} == {"triggerer"}
    assert {name for name, text in containers.items() if '"/own"' in text} == {"triggerer"}
    assert [volume["name"] for spec in specs for volume in spec["volumes"]].count("own") == 1


def test_a_claim_for_one_node_is_refused(chart):
    with pytest.raises(helm.HelmError, match=r"airflow\.separate.*ReadWriteMany"):
        chart.render({"airflow": {"separate": True}}, name="demo", namespace="faces")


def test_replicas_in_one_pod_are_refused(chart):
    with pytest.raises(helm.HelmError, match=r"airflow\.scheduler\.replicas is 2: set airflow\.separate"):
        chart.render({"airflow": {"scheduler": {"replicas": 2}}}, name="demo", namespace="faces")


def test_further_objects_are_templates(production):
    assert production.of("ConfigMap")["demo-meanface-contact"]["data"] == {"team": "photos"}


def test_further_objects_may_be_objects(render):
    more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}}
    assert render({"extraObjects": [more | {"data": {"a": "b"}}]}).of("ConfigMap")["demo-more"]["data"] == {"a": "b"}


def test_an_http_route_leads_to_the_ui(render):
    release = render(yaml.safe_load((CHART / "ci/http-route-values.yaml").read_text()))
    (route,) = release.of("HTTPRoute").values()
    (rule,) = route["spec"]["rules"]
    service = release.of("Service")[rule["backendRefs"][0]["name"]]["spec"]
    assert rule["backendRefs"][0]["port"] in {port["port"] for port in service["ports"]}
    assert release.environment["AIRFLOW__API__BASE_URL"] == "https://meanface.example"


def test_the_cleanup_of_the_database_reaches_it(render):
    release = render({"airflow": {"databaseCleanup": {"enabled": True, "keepDays": 30}}})
    (job,) = release.of("CronJob").values()
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][-2:] == ["/etc/meanface/clean_database.py", "30"]
    assert "clean_database.py" in release.of("ConfigMap")["demo-meanface-files"]["data"]
    ingress = policy(release, pod("postgresql"))["ingress"]
    assert admitted(ingress, "from", pod("database-cleanup")) == {"postgresql"}
    assert admitted(policy(render(), pod("postgresql"))["ingress"], "from", pod("database-cleanup")) == set()
