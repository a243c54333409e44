"""The plugin reads the environment that the chart sets for Airflow."""

from __future__ import annotations

import re

import pytest
import yaml

from meanface_airflow.pod import REDIS_CA, pod_settings
from meanface_airflow.settings import Runtime, Settings

from .conftest import CHART, CHARTS

DATABASE_USERS = ("airflow", "database-cleanup")
CONTAINERS = ("initContainers", "containers")
PLACEMENT = yaml.safe_load((CHART / "ci/placement-values.yaml").read_text())


def test_the_plugin_reads_every_variable_of_every_feature(rendered):
    environment = rendered.environment
    settings = Settings.from_environment(environment)
    assert settings.runtime is Runtime.KUBERNETES
    given = {name.removeprefix("MEANFACE_").lower() for name in environment if name.startswith("MEANFACE_")}
    assert given <= set(Settings.__dataclass_fields__)


def test_the_stages_settings_are_those_of_the_values(render):
    settings = Settings.from_environment(render(PLACEMENT).environment)
    stages = PLACEMENT["stages"]
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert settings.image == f"registry.example/team/meanface:{version}"
    assert settings.image_pull_secrets == ("registry", "mirror")
    assert (settings.namespace, settings.instance) == ("faces", "demo")
    assert settings.service_account == "demo-meanface-stages"
    assert settings.priority_class == "low"
    assert (settings.resources, settings.workers) == (stages["resources"], 2)
    assert settings.node_selector == stages["nodeSelector"]
    assert settings.tolerations == stages["tolerations"]
    assert settings.affinity == stages["affinity"]
    assert settings.env == stages["env"]


def test_the_dag_has_the_params_of_the_values(render):
    assert Settings.from_environment(render().environment).dag_params == {}
    params = {"dataset": "s3://photos/%Y/%m/%d/", "series": "days", "max_pixels": 50_000_000, "labels": "none"}
    assert Settings.from_environment(render({"airflow": {"dagParams": params}}).environment).dag_params == params


def test_private_addresses(render):
    assert Settings.from_environment(render().environment).private_addresses == "refuse"
    networks = "10.1.0.0/16, fd00::/8, 10.0.0.5:9000, [fd00::5]:9000"
    allowed = render({"stages": {"privateAddresses": networks}})
    assert Settings.from_environment(allowed.environment).shared_environment()["MEANFACE_PRIVATE_ADDRESSES"] == networks


def test_stages_and_airflow_have_the_certificate_of_redis(render):
    """In the same folder, because both use one URL."""
    rendered = render({"redis": {"external": {"secret": "address", "caSecret": "authority"}}})
    chosen = Settings.from_environment(rendered.environment)
    spec = rendered.pods()["StatefulSet/demo-meanface-airflow"]["spec"]
    secrets = {each["name"]: each["secret"]["secretName"] for each in spec["volumes"] if "secret" in each}
    assert secrets["redis-ca"] == chosen.redis_ca_secret == "authority"
    for container in spec["containers"]:
        assert {"name": "redis-ca", "mountPath": REDIS_CA, "readOnly": True} in container["volumeMounts"]
    stages = pod_settings(chosen)
    assert [each.secret.secret_name for each in stages["volumes"] if each.secret] == ["authority"]
    assert {each.name: each.mount_path for each in stages["volume_mounts"]}["redis-ca"] == REDIS_CA


def test_storage_is_a_claim_or_an_address(render):
    claim, mine = render().environment, render({"storage": {"claim": {"existingClaim": "photos"}}})
    assert (claim["MEANFACE_STORAGE"], claim["MEANFACE_STORAGE_CLAIM"]) == ("/storage", "demo-meanface-storage")
    assert mine.environment["MEANFACE_STORAGE_CLAIM"] == "photos"
    assert not mine.of("PersistentVolumeClaim")
    bucket = render({"storage": {"url": "s3://b/m", "secret": "keys"}})
    assert bucket.environment["MEANFACE_STORAGE"] == "s3://b/m"
    assert bucket.environment["MEANFACE_STORAGE_SECRET"] == "keys"
    connected = render({"storage": {"url": "s3://b/m", "connection": "aws_default"}})
    assert connected.environment["MEANFACE_STORAGE_CONNECTION"] == "aws_default"
    assert "MEANFACE_STORAGE_CLAIM" not in bucket.environment
    assert not bucket.of("PersistentVolumeClaim")


def test_the_storage_claim_is_kept_unless_the_values_forbid_it(render):
    def annotations(**claim):
        return render({"storage": {"claim": claim}}).of("PersistentVolumeClaim")["demo-meanface-storage"]["metadata"]

    assert annotations()["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in annotations(keep=False)


def test_options_of_airflow_override_the_charts(render):
    values = {"airflow": {"config": {"core": {"parallelism": 3, "load_examples": True}, "api": {"workers": "2"}}}}
    environment = render(values).environment
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "3"
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "true"
    assert environment["AIRFLOW__API__WORKERS"] == "2"


def test_options_of_airflow_have_the_names_and_numbers_that_it_reads(render):
    """It writes a section `common.io` as `COMMON_IO`, and reads no `1e+06`."""
    config = {"common.io": {"xcom_objectstorage_threshold": 1000000}, "core": {"max_map_length": "1000000"}}
    environment = render({"airflow": {"config": config}}).environment
    assert environment["AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD"] == "1000000"
    assert environment["AIRFLOW__CORE__MAX_MAP_LENGTH"] == "1000000"


def test_every_container_of_airflow_has_the_database_from_a_secret(rendered, values):
    """Without a URL, Airflow would create a SQLite database."""
    database = values.get("database", {})
    own = database.get("existingSecret", "demo-meanface-postgresql")
    secret = database.get("external", {}).get("secret", own)
    component = "app.kubernetes.io/component"
    pods = [each for each in rendered.pods().values() if each["metadata"]["labels"][component] in DATABASE_USERS]
    assert bool(pods) is values.get("airflow", {}).get("enabled", True)
    for container in [each for pod in pods for key in CONTAINERS for each in pod["spec"].get(key, ())]:
        named = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each}
        assert named["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == {"name": secret, "key": "connection"}
    assert not [name for name in rendered.environment if name.startswith("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")]


def test_an_external_database_leaves_nothing_of_the_charts_own(render):
    release = render({"database": {"external": {"secret": "pg"}}})
    assert not [each["metadata"]["name"] for each in release.objects if "postgresql" in each["metadata"]["name"]]
    container = release.pods()["StatefulSet/demo-meanface-airflow"]["spec"]["containers"][0]
    (asynchronous,) = [each for each in container["env"] if each["name"] == "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"]
    reference = {"name": "pg", "key": "connection-async", "optional": True}
    assert asynchronous["valueFrom"]["secretKeyRef"] == reference


def test_task_logs_need_no_claim(render):
    release = render({"airflow": {"persistence": {"enabled": False}}})
    assert "volumeClaimTemplates" not in release.of("StatefulSet")["demo-meanface-airflow"]["spec"]


def test_options_of_postgresql_override_the_charts(render):
    config = {"max_connections": 200, "max_wal_size": 2000000, "unix_socket_directories": "/data", "fsync": False}
    pods = render({"database": {"config": config}}).pods()
    (container,) = pods["StatefulSet/demo-meanface-postgresql"]["spec"]["containers"]
    options = dict(option.split("=", 1) for option in container["args"][1::2])
    assert set(container["args"][::2]) == {"-c"}
    texts = {"max_connections": "200", "max_wal_size": "2000000", "unix_socket_directories": "/data", "fsync": "false"}
    assert options.items() >= texts.items()
    assert options["hba_file"] == "/etc/meanface/pg_hba.conf"


@pytest.mark.parametrize(
    ("ingress", "address"),
    [
        ({}, "http://localhost:8080"),
        ({"enabled": True, "host": "faces.example"}, "http://faces.example"),
        ({"enabled": True, "host": "faces.example", "tlsSecret": "tls"}, "https://faces.example"),
    ],
)
def test_the_ui_knows_its_address(render, ingress, address):
    assert render({"airflow": {"ingress": ingress}}).environment["AIRFLOW__API__BASE_URL"] == address


def test_the_plugin_finds_the_pod_template(render):
    values = yaml.safe_load((CHART / "ci/pod-template-values.yaml").read_text())
    release = render(values)
    folder, _, file = release.environment["MEANFACE_POD_TEMPLATE"].rpartition("/")
    text = release.of("ConfigMap")["demo-meanface-files"]["data"][file]
    assert yaml.safe_load(text) == values["stages"]["podTemplate"]
    for container in release.pods()["StatefulSet/demo-meanface-airflow"]["spec"]["containers"]:
        assert {"name": "files", "mountPath": folder, "readOnly": True} in container["volumeMounts"]
    assert "MEANFACE_POD_TEMPLATE" not in render().environment


def test_another_airflow_finds_what_it_reads(chart):
    """`charts/airflow-values.yaml` refers to objects of a release called `meanface`."""
    joined = yaml.safe_load((CHART / "ci/join-airflow-values.yaml").read_text())
    files = chart.render(joined, name="meanface", namespace="airflow")
    texts = [text for path, text in files.items() if not path.endswith(".txt")]
    objects = [each for text in texts for each in yaml.safe_load_all(text) if each]
    names = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    theirs = yaml.safe_load((CHARTS / "airflow-values.yaml").read_text())
    config = names["ConfigMap", yaml.safe_load(theirs["extraEnvFrom"])[0]["configMapRef"]["name"]]["data"]
    assert not [name for name in config if name.startswith("AIRFLOW")]
    pool = Settings.from_environment(config).pool
    assert f"airflow pools set {pool} 16" in (CHARTS / "airflow-values.yaml").read_text()
    mounted = {each["mountPath"]: each["name"] for each in theirs["volumeMounts"]}
    volumes = {each["name"]: each for each in theirs["volumes"]}
    folder, _, file = config["MEANFACE_POD_TEMPLATE"].rpartition("/")
    assert file in names["ConfigMap", volumes[mounted[folder]]["configMap"]["name"]]["data"]
    assert volumes[mounted[REDIS_CA]]["secret"]["optional"]
    (claim,) = theirs["apiServer"]["extraVolumes"]
    assert claim["persistentVolumeClaim"]["claimName"] == config["MEANFACE_STORAGE_CLAIM"]
    assert theirs["apiServer"]["extraVolumeMounts"][0]["mountPath"] == config["MEANFACE_STORAGE"]
    (secret,) = theirs["secret"]
    assert secret["secretKey"] in names["Secret", secret["secretName"]]["data"]
    assert re.fullmatch(r"AIRFLOW_CONN_MEANFACE_REDIS", secret["envName"])
    assert {kind for kind, _ in names} == {
        *("ConfigMap", "NetworkPolicy", "PersistentVolumeClaim", "Job", "Role", "RoleBinding"),
        *("Secret", "Service", "ServiceAccount", "StatefulSet"),
    }
    assert [name for kind, name in names if kind == "StatefulSet"] == ["meanface-redis"]
