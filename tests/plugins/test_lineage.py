"""What operators tell OpenLineage's provider."""

import doctest
import json
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from meanface_airflow import lineage
from meanface_airflow.lineage import dataset, photos
from meanface_airflow.pod import PodStageOperator
from meanface_airflow.process import ProcessStageOperator
from meanface_airflow.settings import Settings

RUN = "scheduled__2026-01-02T00:00:00+00:00"
MANIFEST = {
    "schema": 1,
    "source": {"url": "s3://photos/2026/01/02", "kind": "folder"},
    "digest": "d1",
    "recipe": "r1",
    "fingerprint": "f1",
    "photos": 5,
}
OUTCOMES = {"ok": 2, "no_face": 1}
RESULT = {
    "schema": 1,
    "location": f"s3://results/runs/{RUN}",
    "recipe": "r1",
    "fingerprint": "f1",
    "photos": 5,
    "photos_with_face": 3,
    "faces": 4,
    "outcomes": {"ok": 3, "no_face": 2},
    "artifacts": {"mean": "mean.npy", "result": "result.json"},
    "versions": {"meanface": "0.2.0"},
    "series": {"name": "days", "faces": 40, "location": "s3://results/series/days"},
}
LISTED, LEDGER = ("s3://results", f"runs/{RUN}/manifest"), ("s3://results", f"runs/{RUN}/ledger")
PHOTOS = ("s3://photos", "2026/01/02")


@pytest.fixture(params=[PodStageOperator, ProcessStageOperator])
def ask(request, monkeypatch):
    """The operator of a stage, under both runtimes."""
    monkeypatch.setattr(lineage, "settings", lambda: Settings(storage="s3://results"))

    def of(*words):
        operator = request.param(task_id=words[0], stage=words[0], partition=3 if words[0] == "embed" else None)
        operator.arguments = [*words, f"--run={RUN}"]
        return operator

    return of


@pytest.fixture
def recorded(redis, monkeypatch):
    """Redis with the records of a run that has ended."""
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", redis.connection_url)
    with Redis.from_url(redis.connection_url) as client:
        for name, record in {"manifest": MANIFEST, "result": RESULT}.items():
            client.set(f"meanface:{{{RUN}}}:{name}", json.dumps(record))
        progress = {"schema": 1, "partition": 3, "photos": 3, "outcomes": OUTCOMES}
        client.hset(f"meanface:{{{RUN}}}:progress", "3", json.dumps(progress))
        yield client


def names(datasets):
    return [(each.namespace, each.name) for each in datasets]


def facts(given):
    return {name: value for name, value in vars_of(given.run_facets["meanface_run"]).items() if value is not None}


def vars_of(facet):
    hidden = ("_producer", "_schemaURL", "_deleted")
    return {name: getattr(facet, name) for name in facet.__slots__ if name not in hidden and not name.startswith("__")}


def test_examples():
    tried = doctest.testmod(lineage, optionflags=doctest.ELLIPSIS)
    assert tried.attempted
    assert not tried.failed


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/photos/", ("file", "/photos")),
        ("s3a://photos/a/*.tar", ("s3://photos", "a/*.tar")),
        ("S3://photos/2026/#1", ("s3://photos", "2026/#1")),
        ("https://user:secret@host:8080/a.tgz?token=1", ("https://host:8080", "a.tgz")),
        ("abfss://photos@acme.dfs.core.windows.net/2026/", ("abfss://photos@acme.dfs.core.windows.net", "2026")),
        ("az://photos/2026", ("az://photos", "2026")),
        ("hf://datasets/acme/faces", ("hf://datasets", "acme/faces")),
        ("lfw", ("meanface", "lfw")),
    ],
)
def test_addresses_have_openlineages_names(address, expected):
    assert names([dataset(address)]) == [expected]


def test_of_several_datasets_each_is_an_input():
    parts = [{"name": str(n), "source": {"url": f"s3://photos/{n}"}} for n in range(lineage.MOST_INPUTS + 1)]
    read = photos({"source": {"url": "s3://photos/0 and others", "parts": parts}, "digest": "d"})
    assert len(read) == lineage.MOST_INPUTS
    assert names(read[:2]) == [("s3://photos", "0"), ("s3://photos", "1")]


def test_plan_starts_with_the_datasets_of_its_request(ask, recorded):
    """Not with those of an earlier plan, which Redis may have."""
    started = ask("plan", "--dataset=s3://other/a/\n/photos").get_openlineage_facets_on_start()
    assert names(started.inputs) == [("s3://other", "a"), ("file", "/photos")]
    assert names(started.outputs) == [LISTED]
    assert facts(started) == {"run": RUN}


def test_plan_completes_with_its_plan(ask, recorded):
    ended = ask("plan", "--dataset=s3://photos/%Y/%m/%d/").get_openlineage_facets_on_complete(None)
    assert (names(ended.inputs), names(ended.outputs)) == ([PHOTOS], [LISTED])
    assert ended.inputs[0].facets["version"].datasetVersion == "d1"
    assert ended.outputs[0].outputFacets["outputStatistics"].rowCount == 5
    assert facts(ended) == {"run": RUN, "recipe": "r1", "fingerprint": "f1", "photos": 5}


def test_embed_completes_with_its_partitions_outcomes(ask, recorded):
    ended = ask("embed", "--partition=3").get_openlineage_facets_on_complete(None)
    assert (names(ended.inputs), names(ended.outputs)) == ([PHOTOS, LISTED], [LEDGER])
    assert ended.inputs[0].inputFacets["inputStatistics"].rowCount == 3
    given = facts(ended)
    assert (given["partition"], given["photos"], given["outcomes"]) == (3, 3, OUTCOMES)


def test_reduce_completes_with_the_result_and_its_series(ask, recorded):
    ended = ask("reduce").get_openlineage_facets_on_complete(None)
    assert names(ended.inputs) == [LEDGER]
    assert names(ended.outputs) == [("s3://results", f"runs/{RUN}"), ("s3://results", "series/days")]
    result, series = (each.outputFacets["outputStatistics"] for each in ended.outputs)
    assert (result.rowCount, result.fileCount, series.rowCount) == (4, 2, 40)
    given = facts(ended)
    assert given.pop("version") == "0.2.0"
    assert given == {"run": RUN} | {name: RESULT[name] for name in given if name != "run"}
    assert {"faces", "outcomes", "artifacts", "photos_with_face"} <= given.keys()


@pytest.mark.parametrize("stage", ["plan", "embed", "reduce"])
def test_a_failed_stage_has_no_figures(ask, recorded, stage):
    words = [stage, "--partition=3"]
    failed = ask(*words).get_openlineage_facets_on_failure(None)
    assert failed == ask(*words).get_openlineage_facets_on_start()
    assert all("outputStatistics" not in each.outputFacets for each in failed.outputs)


def test_without_redis_there_are_addresses(ask, monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", "redis://127.0.0.1:1/0")
    ended = ask("reduce").get_openlineage_facets_on_complete(None)
    assert names(ended.outputs) == [("s3://results", f"runs/{RUN}")]
    assert "addresses without figures" in caplog.text


def test_openlineage_is_not_imported_before_it_asks():
    """So that nothing changes where it is not installed."""
    program = "import sys, meanface_airflow.process; print([m for m in sys.modules if m.startswith('openlineage')])"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "plugins")}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
