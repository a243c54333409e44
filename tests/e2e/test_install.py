"""The chart on an empty namespace: ready by itself, upgraded with its data, removed without a trace."""

from __future__ import annotations

from release import NAME, Release


def test_a_release_is_ready_by_itself_and_computes(release: Release) -> None:
    """Nothing was done but `helm install`."""
    run = release.trigger(dataset="sample")
    assert len(release.succeeded(run)) == 128
    assert release.summary(run)["outcomes"]["ok"] == 3


def test_an_upgrade_keeps_what_there_is(release: Release) -> None:
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


def test_stages_may_do_nothing_in_the_cluster(release: Release) -> None:
    account = f"system:serviceaccount:{release.namespace.name}:{NAME}-stages"
    for verb, kind in (("get", "pods"), ("list", "secrets"), ("create", "pods"), ("get", "configmaps")):
        allowed = release.namespace.kubectl("auth", "can-i", verb, kind, "--as", account, may_fail=True)
        assert allowed.strip() == "no"
