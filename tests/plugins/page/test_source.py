"""The page's access to Redis: with few rights, during an outage, and after it."""

import pytest

from page_airflow import RUN


def run_of(page):
    return page.get("api/run", params={"dag_id": "meanface", "run": RUN}).json()


@pytest.fixture
def reader(client):
    """The URL of a user that may only read runs, which is less than the stages' user may."""
    rights = ["+ping", "+client|setname", "+get", "+hkeys", "+hmget", "+hgetall"]
    client.acl_setuser("pods", enabled=True, passwords=["+secret"], keys=["meanface:*"], commands=["-@all", *rights])
    settings = client.connection_pool.connection_kwargs
    return f"redis://pods:secret@{settings['host']}:{settings['port']}/0"


def test_a_user_that_may_only_read_is_enough(page, airflow_run, records, reader, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", reader)
    airflow_run(embed=[("running", 1)])
    records.plan(1)
    records.progress(0)
    records.result()
    records.failures(0, [["a.jpg", "crashed", ""]])
    assert run_of(page)["away"] is None
    assert page.get("api/runs?dag_id=meanface").json()["away"] is None
    for path in ("api/failures", "api/result"):
        assert page.get(path, params={"dag_id": "meanface", "run": RUN, "partition": 0}).status_code == 200


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("redis://:hidden@127.0.0.1:1/0", "Redis cannot be reached."),
        ("redis://:hidden@{place}/0", "Redis refused the user or password of Airflow's connection meanface_redis."),
        ("{none}", "Airflow has no connection meanface_redis: add it."),
        (
            "redis://blind:secret@{place}/0",
            "Redis does not permit the user of Airflow's connection meanface_redis to read runs.",
        ),
    ],
)
def test_an_outage_of_redis_is_reported_beside_the_runs(page, airflow_run, client, monkeypatch, address, reason):
    client.acl_setuser("blind", enabled=True, passwords=["+secret"], keys=["meanface:*"], commands=["+ping", "+client"])
    client.acl_setuser("default", enabled=True, nopass=False, reset_passwords=True, passwords=["+right"])
    settings = client.connection_pool.connection_kwargs
    if address == "{none}":
        monkeypatch.delenv("AIRFLOW_CONN_MEANFACE_REDIS")
    else:
        place = f"{settings['host']}:{settings['port']}"
        monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", address.format(place=place))
    airflow_run(embed=[("running", 1)])
    for answer in (
        page.get("api/runs?dag_id=meanface"),
        page.get("api/run", params={"dag_id": "meanface", "run": RUN}),
    ):
        assert answer.json()["away"] == reason
    assert page.get("api/runs?dag_id=meanface").json()["runs"][0]["state"] == "running"
    refused = page.get("api/result", params={"dag_id": "meanface", "run": RUN})
    assert (refused.status_code, refused.json()["detail"]) == (503, reason)


def test_redis_that_comes_back_is_read_again(page, airflow_run, records, redis, monkeypatch):
    from meanface_airflow.page import source

    monkeypatch.setattr(source, "RETRY_PAUSE", 0.0)
    airflow_run()
    records.plan(1)
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", "redis://127.0.0.1:1/0")
    assert run_of(page)["away"]
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", redis.connection_url)
    assert run_of(page)["away"] is None


def test_a_connection_that_redis_has_closed_is_opened_again(page, airflow_run, records, client):
    airflow_run()
    records.plan(1)
    assert run_of(page)["away"] is None
    client.client_kill_filter(_type="normal", skipme=True)
    assert run_of(page)["away"] is None


def test_readers_do_not_all_wait_for_their_own_timeout():
    from meanface_airflow.page.source import RedisSource, RedisUnavailable

    looked_up = []
    source = RedisSource(lambda: looked_up.append(1) or "redis://127.0.0.1:1/0")
    for _ in range(5):
        with pytest.raises(RedisUnavailable, match="cannot be reached"):
            source.execute(("GET", "meanface:{run}:manifest"))
    assert looked_up == [1]
