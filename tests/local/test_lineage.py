"""What OpenLineage's provider reports of a run on one machine, through its file transport."""

import json
from collections import Counter
from pathlib import Path

import pytest
from machine import Laptop

STAGES = ("plan", "embed", "reduce")


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """The events of a run's stages, by state and stage, and its result."""
    folder = tmp_path_factory.mktemp("lineage")
    laptop = Laptop(folder / "home")
    transport = {"type": "file", "log_file_path": str(folder / "events"), "append": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(transport))
        try:
            done = laptop.do("run", "--partition-size=3")
            assert done.returncode == 0, done.stdout + done.stderr
        finally:
            assert laptop.do("down").returncode == 0
    events = {}
    for line in (folder / "events").read_text().splitlines():
        event = json.loads(line)
        stage = event["job"]["name"].rpartition(".")[2]
        if stage in STAGES:
            events.setdefault((event["eventType"], stage), []).append(event)
    (path,) = (laptop.home / "storage/runs").glob("*/result.json")
    return events, json.loads(path.read_text())


def names(datasets):
    return [(each["namespace"], each["name"]) for each in datasets]


@pytest.mark.long
def test_each_stage_starts_and_completes_once_for_each_task(reported):
    events, result = reported
    tasks = {"plan": 1, "embed": result["partitions"]["total"], "reduce": 1}
    assert tasks["embed"] > 1
    for state in ("START", "COMPLETE"):
        assert {stage: len(events[state, stage]) for stage in STAGES} == tasks


@pytest.mark.long
def test_each_event_names_what_its_stage_reads_and_writes(reported):
    events, result = reported
    photos, folder = ("meanface", "sample"), result["location"]
    manifest, ledger = ("file", f"{folder}/manifest"), ("file", f"{folder}/ledger")
    expected = {
        "plan": ([photos], [manifest]),
        "embed": ([photos, manifest], [ledger]),
        "reduce": ([ledger], [("file", folder)]),
    }
    for (_, stage), reports in events.items():
        for event in reports:
            assert (names(event["inputs"]), names(event["outputs"])) == expected[stage]


@pytest.mark.long
def test_the_figures_are_those_of_the_result(reported):
    events, result = reported
    (reduced,) = events["COMPLETE", "reduce"]
    figures = reduced["run"]["facets"]["meanface_run"]
    for name in ("run", "recipe", "fingerprint", "photos", "photos_with_face", "faces", "outcomes", "artifacts"):
        assert figures[name] == result[name], name
    assert figures["version"] == result["versions"]["meanface"]
    (written,) = reduced["outputs"]
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == result["faces"]
    assert written["outputFacets"]["outputStatistics"]["fileCount"] == len(result["artifacts"])
    assert written["facets"]["version"]["datasetVersion"] == result["fingerprint"]


@pytest.mark.long
def test_the_partitions_add_up_to_the_result(reported):
    events, result = reported
    outcomes, read = Counter(), 0
    for event in events["COMPLETE", "embed"]:
        outcomes += Counter(event["run"]["facets"]["meanface_run"]["outcomes"])
        photos, _ = event["inputs"]
        read += photos["inputFacets"]["inputStatistics"]["rowCount"]
    assert outcomes == +Counter(result["outcomes"])
    assert read == result["photos"]


@pytest.mark.long
def test_the_plan_has_the_version_of_its_photos(reported):
    events, result = reported
    (planned,) = events["COMPLETE", "plan"]
    (photos,), (listed,) = planned["inputs"], planned["outputs"]
    manifest = json.loads((Path(result["location"]) / "manifest.json").read_text())
    assert photos["facets"]["version"]["datasetVersion"] == manifest["digest"]
    assert listed["outputFacets"]["outputStatistics"]["rowCount"] == result["photos"]
    (started,) = events["START", "plan"]
    assert "version" not in started["inputs"][0]["facets"]


@pytest.mark.long
def test_events_belong_to_the_dags_run(reported):
    events, _ = reported
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for all_of in events.values() for event in all_of}
    assert len(parents) == 1
