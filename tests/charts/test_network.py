"""The NetworkPolicies, evaluated as Kubernetes does."""

from __future__ import annotations

import pytest

LABELS = {"app.kubernetes.io/name": "meanface", "app.kubernetes.io/instance": "demo"}
STAGES = ["plan", "embed", "reduce"]


def pod(component, instance="demo"):
    """Labels of a pod; the plugin sets those of the stages."""
    return LABELS | {"app.kubernetes.io/instance": instance, "app.kubernetes.io/component": component}


def matches(selector, labels):
    """Whether a label selector matches a pod."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    listed = all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", ())
    )
    return wanted and listed


def policy(release, labels):
    """The one policy of a pod."""
    found = [p["spec"] for p in release.of("NetworkPolicy").values() if matches(p["spec"]["podSelector"], labels)]
    assert len(found) == 1
    return found[0]


def admitted(rules, peer, labels):
    """Ports that rules open for a pod of the same namespace; `peer` is `from` or `to`."""
    through = [
        rule
        for rule in rules
        if peer not in rule or any(matches(p["podSelector"], labels) for p in rule[peer] if p.keys() == {"podSelector"})
    ]
    return {port["port"] for rule in through for port in rule["ports"]}


@pytest.mark.parametrize("stage", STAGES)
def test_stages_reach_redis_and_names_only(render, stage):
    spec = policy(render(), pod(stage))
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == []
    assert admitted(spec["egress"], "to", pod("redis")) == {53, 6379}
    for other in ("airflow", "postgresql", *STAGES):
        assert admitted(spec["egress"], "to", pod(other)) == {53}
    assert admitted(spec["egress"], "to", pod("redis", instance="another")) == {53}


def test_redis_is_reached_by_stages_and_airflow(render):
    spec = policy(render(), pod("redis"))
    assert spec["egress"] == []
    for component in ("airflow", *STAGES):
        assert admitted(spec["ingress"], "from", pod(component)) == {"redis"}
        assert admitted(spec["ingress"], "from", pod(component, instance="another")) == set()
    assert admitted(spec["ingress"], "from", {"app": "stranger"}) == set()


def test_postgresql_is_reached_by_airflow_alone(render):
    spec = policy(render(), pod("postgresql"))
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == []
    assert admitted(spec["ingress"], "from", pod("airflow")) == {"postgresql"}
    assert admitted(spec["ingress"], "from", pod("airflow", instance="another")) == set()
    for component in ("redis", *STAGES):
        assert admitted(spec["ingress"], "from", pod(component)) == set()


def test_further_peers_reach_postgresql(render):
    backup = {"app": "backup"}
    values = {"networkPolicy": {"database": {"from": [{"podSelector": {"matchLabels": backup}}]}}}
    ingress = policy(render(values), pod("postgresql"))["ingress"]
    assert admitted(ingress, "from", backup) == admitted(ingress, "from", pod("airflow")) == {"postgresql"}


def test_airflow_is_reached_on_the_uis_port(render):
    spec = policy(render(), pod("airflow"))
    assert spec["policyTypes"] == ["Ingress"]
    assert admitted(spec["ingress"], "from", {"app": "stranger"}) == {"http"}
    narrow = {"networkPolicy": {"airflow": {"from": [{"podSelector": {"matchLabels": {"app": "proxy"}}}]}}}
    spec = policy(render(narrow), pod("airflow"))
    assert admitted(spec["ingress"], "from", {"app": "stranger"}) == set()
    assert admitted(spec["ingress"], "from", {"app": "proxy"}) == {"http"}


@pytest.mark.parametrize("values", [{"storage": {"url": "s3://b/m"}}, {"networkPolicy": {"stages": {"https": True}}}])
def test_https_is_open_where_it_is_needed(render, values):
    assert 443 in admitted(policy(render(values), pod("embed"))["egress"], "to", {"app": "elsewhere"})


def test_a_redis_elsewhere_is_reached_on_its_port(render):
    release = render({"redis": {"external": {"secret": "address", "port": 6380}}})
    assert admitted(policy(release, pod("embed"))["egress"], "to", {"app": "elsewhere"}) == {53, 6380}
    assert not [name for name in release.of("StatefulSet") if name.endswith("redis")]
    assert release.environment["MEANFACE_REDIS_SECRET"] == "address"


def test_another_airflow_reaches_redis_where_it_is_named(render):
    theirs = {"tier": "airflow"}
    values = {"airflow": {"enabled": False}}
    assert admitted(policy(render(values), pod("redis"))["ingress"], "from", theirs) == set()
    values["networkPolicy"] = {"redis": {"from": [{"podSelector": {"matchLabels": theirs}}]}}
    assert admitted(policy(render(values), pod("redis"))["ingress"], "from", theirs) == {"redis"}


def test_policies_can_be_left_out(render):
    assert not render({"networkPolicy": {"enabled": False}}).of("NetworkPolicy")
