"""Pod Security `restricted`, resource limits, rights and secrets of all pods."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter

from .conftest import CHART

STAGE_VERBS = {"pods": {"create", "get", "list", "watch", "patch", "delete"}, "pods/log": {"get"}}
STAGE_VERBS |= {"events": {"get", "list", "watch"}}


def containers(pod):
    """Containers of a pod template, init containers first."""
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def decoded(secret):
    """A Secret's content as text."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def rights(role):
    """Verbs of a role, by resource."""
    assert {group for rule in role["rules"] for group in rule["apiGroups"]} == {""}
    return {resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}


def test_pods_are_restricted(rendered):
    for name, pod in rendered.pods().items():
        spec, context = pod["spec"], pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        allowed = {"emptyDir", "configMap", "secret", "projected", "persistentVolumeClaim"}
        assert {kind for volume in spec["volumes"] for kind in volume.keys() - {"name"}} <= allowed
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            }


def test_containers_have_requests_and_limits(rendered):
    for pod in rendered.pods().values():
        for container in containers(pod):
            for bound in ("requests", "limits"):
                assert container["resources"][bound].keys() >= {"cpu", "memory"}, container["name"]
    stages = json.loads(rendered.environment["MEANFACE_RESOURCES"])
    assert stages["requests"].keys() == stages["limits"].keys() == {"cpu", "memory"}


def test_components_have_probes(rendered):
    for name, each in rendered.of("StatefulSet").items():
        for container in each["spec"]["template"]["spec"]["containers"]:
            assert container.keys() >= {"startupProbe", "readinessProbe", "livenessProbe"}, name


def test_only_components_that_create_pods_have_tokens(rendered):
    for account in rendered.of("ServiceAccount").values():
        assert account["automountServiceAccountToken"] is False
    with_token = {
        container["name"]
        for pod in rendered.pods().values()
        for container in containers(pod)
        if any(mount["name"] == "token" for mount in container["volumeMounts"])
    }
    assert all(pod["spec"]["automountServiceAccountToken"] is False for pod in rendered.pods().values())
    assert with_token in ({"scheduler", "triggerer", "cleanup"}, set())


def test_airflow_has_exactly_the_verbs_of_its_operator(rendered):
    roles = rendered.of("Role")
    assert rights(roles["demo-meanface-airflow"]) == STAGE_VERBS
    assert roles.keys() <= {"demo-meanface-airflow", "demo-meanface-cleanup"}
    assert not rendered.of("ClusterRole")
    for name, binding in rendered.of("RoleBinding").items():
        assert binding["roleRef"]["name"] == name
        assert not any(
            subject["name"].endswith(("-stages", "-redis", "-postgresql")) for subject in binding["subjects"]
        )


def test_the_cleanup_may_list_and_delete_pods(render):
    assert rights(render().of("Role")["demo-meanface-cleanup"]) == {"pods": {"list", "delete"}}


def test_secrets_are_random_and_differ_between_renderings(render):
    def random():
        secrets = render().of("Secret")
        return [value for secret in secrets.values() for value in decoded(secret).values()]

    first, second = random(), random()
    assert len(first) == len(second) == 12
    assert not set(first) & set(second)
    assert max(Counter(first).values()) == 1


def test_no_password_is_a_default():
    text = (CHART / "values.yaml").read_text()
    assert not re.search(r"(?i)^\s*[a-z]*(password|token|key):\s*\S", text, re.MULTILINE)


def test_secrets_fit_together(render):
    secrets = render().of("Secret")
    airflow, database, redis = (
        decoded(secrets[f"demo-meanface-{name}"]) for name in ("airflow", "postgresql", "redis")
    )
    assert json.loads(airflow["passwords.json"]) == {"admin": airflow["admin-password"]}
    assert len(base64.urlsafe_b64decode(airflow["fernet-key"])) == 32
    server = "demo-meanface-postgresql.faces.svc:5432"
    assert database["connection"] == f"postgresql+psycopg2://airflow:{database['password']}@{server}/airflow"
    assert redis["url"] == f"redis://meanface:{redis['password']}@demo-meanface-redis.faces.svc:6379/0"


def test_secrets_are_only_in_secrets(render):
    release = render()
    secret = {text for each in release.of("Secret").values() for text in decoded(each).values()}
    rest = json.dumps([each for each in release.objects if each["kind"] != "Secret"])
    assert not [text for text in secret if text in rest]


def test_existing_secrets_are_used(render):
    named = {"airflow": "mine", "database": "database-keys", "redis": "redis-keys"}
    release = render({section: {"existingSecret": name} for section, name in named.items()})
    assert not release.of("Secret")
    pods = {name: json.dumps(pod) for name, pod in release.pods().items()}
    assert '"mine"' in pods["StatefulSet/demo-meanface-airflow"]
    for component in ("airflow", "postgresql"):
        assert '"database-keys"' in pods[f"StatefulSet/demo-meanface-{component}"]
    assert release.environment["MEANFACE_REDIS_SECRET"] == "redis-keys"


def test_airflow_may_create_secrets_only_for_a_connection_and_read_none(render):
    connected = render({"storage": {"url": "s3://b/m", "connection": "aws_default"}})
    assert rights(connected.of("Role")["demo-meanface-airflow"]) == STAGE_VERBS | {"secrets": {"create"}}
