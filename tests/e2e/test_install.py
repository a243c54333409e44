"""The chart in an empty namespace: installed, repaired, upgraded and removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from release import NAME, NAMESPACE, VALUES, Release

from polling import until


def test_a_release_gets_ready_and_computes(release: Release) -> None:
    """Only `helm install --wait` was run."""
    run = release.trigger(dataset="sample")
    assert len(release.succeeded(run)) == 128
    assert release.summary(run)["outcomes"]["ok"] == 6


def test_the_page_shows_the_stages_files(release: Release) -> None:
    run = release.trigger(dataset="sample")
    release.succeeded(run)
    report = release.ask(lambda airflow: airflow._http.get(f"/meanface/files/meanface/{quote(run)}/report.html"))
    assert report.status_code == 200
    assert "<title>" in report.text
    result = release.ask(lambda airflow: airflow.get(f"/meanface/api/result?dag_id=meanface&run={quote(run)}"))
    assert {"report.html", "mean_face.png", "result.json", "mean.npy"} <= set(result["files"])


def test_an_upgrade_keeps_data_and_passwords(release: Release) -> None:
    run = release.trigger(dataset="sample")
    mean = release.succeeded(run)
    password, url = release.password, release.secret("meanface-redis", "url")
    with release.redis() as redis:
        result = redis.get(f"meanface:{{{run}}}:result")

    release.upgrade(airflow={"parallelism": 5})
    release.close()
    release.until_ready()

    assert (release.password, release.secret("meanface-redis", "url")) == (password, url)
    assert release.succeeded(run) == mean
    with release.redis() as redis:
        assert redis.get(f"meanface:{{{run}}}:result") == result


def test_a_new_password_outlives_upgrades(release: Release) -> None:
    """As described in docs/operations.md."""
    patch = json.dumps({"stringData": {"admin-password": "another"}})
    release.namespace.kubectl("patch", "secret", f"{NAME}-airflow", "--type", "merge", "-p", patch)
    for _ in range(2):
        release.upgrade()
        release.close()
        release.until_ready()
        assert release.password == "another"
        assert release.ask(lambda airflow: airflow.has_dag())


def test_stages_may_do_nothing_in_the_cluster(release: Release) -> None:
    account = f"system:serviceaccount:{release.namespace.name}:{NAME}-stages"
    for verb, kind in (("get", "pods"), ("list", "secrets"), ("create", "pods"), ("get", "configmaps")):
        allowed = release.namespace.kubectl("auth", "can-i", verb, kind, "--as", account, may_fail=True)
        assert allowed.strip() == "no"


@pytest.fixture
def another(cluster: None) -> Iterator[Any]:
    """Installs a release in its own namespace, which is deleted at the end."""
    made: list[Release] = []

    def release(values: dict[str, Any]) -> Release:
        made.append(Release(f"{NAMESPACE}-another", values))
        made[-1].namespace.delete()
        return made[-1]

    yield release
    for each in made:
        each.close()
        each.namespace.delete()


def test_an_upgrade_repairs_a_failed_install(another: Any) -> None:
    """By default Kubernetes does not replace a pod that was never ready (kubernetes#67250)."""
    release = another({"airflow": {"enabled": False}, "redis": {"image": {"tag": "absent"}}})
    release.install(wait=None)

    def redis(key: str) -> str:
        return str(
            release.namespace.kubectl("get", "pod", f"{NAME}-redis-0", "-o", f"jsonpath={{{key}}}", may_fail=True)
        )

    until(
        lambda: redis(".status.containerStatuses[0].state.waiting.reason") in ("ErrImagePull", "ImagePullBackOff"), 120
    )
    release.upgrade(redis={"image": {"tag": "7-bookworm"}})
    until(lambda: redis(".status.containerStatuses[0].ready") == "true", 180, every=1)


def test_a_wrong_password_of_the_database_is_named(another: Any) -> None:
    """In the log and in the pod's state; after a correction the pod starts by itself."""
    keys = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "keys"}}
    address = f"postgresql+psycopg2://airflow:{{}}@{NAME}-postgresql:5432/airflow"
    release = another(VALUES | {"database": VALUES["database"] | {"existingSecret": "keys"}})
    release.namespace.kubectl("create", "namespace", release.namespace.name)
    release.namespace.apply(keys | {"stringData": {"password": "right", "connection": address.format("guessed")}})
    release.install(wait=None)

    def ended() -> str:
        (pod,) = release.namespace.objects("pods", instance=NAME, component="airflow")
        states = {each["name"]: each["lastState"] for each in pod["status"].get("initContainerStatuses", ())}
        return str(states.get("database", {}).get("terminated", {}).get("message", ""))

    (sentence,) = [line for line in until(ended, 300, every=1).splitlines() if "Waiting" not in line]
    assert "PostgreSQL refuses Airflow: " in sentence
    assert 'password authentication failed for user "airflow"' in sentence
    assert "the key 'connection' of the Secret 'keys'" in sentence
    assert "guessed" not in sentence
    release.namespace.apply(keys | {"stringData": {"password": "right", "connection": address.format("right")}})
    release.until_ready(600)


def test_an_uninstall_during_a_run_leaves_no_pod_and_an_install_continues(another: Any) -> None:
    crawling = {"requests": {"cpu": "20m", "memory": "256Mi"}, "limits": {"cpu": "50m", "memory": "1Gi"}}
    release = another(VALUES | {"stages": VALUES["stages"] | {"resources": crawling}, "storage": {}})
    release.install()
    release.until_ready()
    run = release.trigger(dataset="sample")
    until(lambda: release.namespace.pods("Running", instance=NAME, component="plan"), 180, every=0.5)
    before = release.secret(f"{NAME}-postgresql", "password")
    release.uninstall()
    until(lambda: not release.namespace.pods(), 120, every=1)

    release.install()  # with the same name it reuses the claims, and sets the new password of the database
    release.until_ready()
    assert release.secret(f"{NAME}-postgresql", "password") != before
    assert release.ask(lambda airflow: airflow.state(run)) == "running"
