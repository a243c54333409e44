import json
import random

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from meanface_airflow.records import SUMMARY, RecordError, RunRecords, partitions, summary

RUN = "scheduled__2026-01-02T00:00:00+00:00"


@pytest.fixture
def client(redis):
    with Redis.from_url(redis.connection_url) as client:
        yield client


@pytest.fixture
def records(client):
    return RunRecords(client, RUN)


def put(client, name, **record):
    client.set(f"meanface:{{{RUN}}}:{name}", json.dumps(record))


def test_a_manifests_partitions(client, records):
    assert not records.has_manifest()
    put(client, "manifest", schema=1, partitions=[{"index": 0}, {"index": 1}])
    assert records.has_manifest()
    assert partitions(records.manifest()) == [0, 1]


@pytest.mark.parametrize("name", ["manifest", "result"])
def test_another_schema_is_refused(client, records, name):
    put(client, name, schema=2)
    with pytest.raises(RecordError, match=f"{name} has schema 2, expected 1"):
        getattr(records, name)()


@pytest.mark.parametrize("name", ["manifest", "result"])
def test_a_missing_record_is_named(records, name):
    with pytest.raises(RecordError, match=f"Redis has no {name}: .*clear the run"):
        getattr(records, name)()


def test_a_results_floats_keep_every_bit(client, records):
    source = random.Random(0)
    mean = [source.uniform(-1, 1) * 2.0 ** source.randint(-1000, 3) for _ in range(128)]
    put(client, "result", schema=1, mean=mean)
    assert records.result()["mean"] == mean


def test_progress_is_in_order_and_without_other_schemas(client, records):
    for partition in (10, 9, 1):
        client.hset(f"meanface:{{{RUN}}}:progress", str(partition), json.dumps({"schema": 1, "partition": partition}))
    client.hset(f"meanface:{{{RUN}}}:progress", "2", json.dumps({"schema": 2}))
    assert [record["partition"] for record in records.progress()] == [1, 9, 10]


def test_runs_do_not_see_each_other(client, records):
    put(client, "manifest", schema=1)
    assert not RunRecords(client, "other").has_manifest()


def test_an_unreachable_redis_is_not_a_record_error():
    with pytest.raises(RedisAway):
        RunRecords.at("redis://127.0.0.1:1", RUN).manifest()


def test_a_summary_has_no_vectors():
    named = dict.fromkeys(SUMMARY, 1)
    summarised = summary(named | {"series": None, "mean": [3.0, 4.0], "standard_error": [1.0], "versions": {}})
    assert summarised == named | {"series": None, "norm": 5.0}


def test_a_summary_has_the_series_without_its_mean():
    series = {"name": "faces", "interval": "2026-01-02T00:00:00Z", "intervals": 2, "photos": 9, "faces": 7}
    result = dict.fromkeys(SUMMARY, 1) | {"mean": [1.0], "series": series | {"mean": [0.5], "location": "/s"}}
    assert summary(result)["series"] == series | {"location": "/s"}


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"schema": ' + b"9" * 5000 + b"}"])
@pytest.mark.parametrize("name", ["manifest", "result"])
def test_a_damaged_record_is_refused(client, records, name, text):
    client.set(f"meanface:{{{RUN}}}:{name}", text)
    with pytest.raises(RecordError, match=f"its {name} in Redis is damaged"):
        getattr(records, name)()


@pytest.mark.parametrize(
    "listed", [None, {}, [None], [{}], [{"index": "0"}], [{"index": True}], [{"index": 1}], [{"index": 0}] * 2]
)
def test_partitions_that_are_not_numbered_from_0_are_refused(listed):
    with pytest.raises(RecordError, match="partitions are not numbered 0, 1, 2"):
        partitions({"partitions": listed})


@pytest.mark.parametrize(
    "change", [{"mean": None}, {"mean": ["1"]}, {"mean": [float("nan")]}, {"mean": [10**400]}, {"series": 1}]
)
def test_a_result_without_a_mean_is_refused(change):
    with pytest.raises(RecordError, match="expected `mean` to be a list of finite numbers"):
        summary(dict.fromkeys(SUMMARY) | {"mean": [1.0], "series": None} | change)


def test_a_result_without_a_field_is_refused():
    with pytest.raises(RecordError, match="it has no faces, mean"):
        summary({name: 0 for name in (*SUMMARY, "series") if name != "faces"})


def test_invalid_progress_is_left_out(client, records):
    for field, text in enumerate(
        ["", "[]", '{"schema": 1}', '{"schema": 1, "partition": "2"}', '{"schema": 1, "partition": 3}']
    ):
        client.hset(f"meanface:{{{RUN}}}:progress", str(field), text)
    assert [record["partition"] for record in records.progress()] == [3]
