import doctest
import random

import pytest

from meanface_airflow import links
from meanface_airflow.page import models
from meanface_airflow.page import partitions as partitions_module
from meanface_airflow.page.models import PlannedPartition, Progress
from meanface_airflow.page.partitions import Task, partition, recent_rate, totals

NOW = 1_000_000.0
WHOLE = PlannedPartition(index=3, photos=500)


def test_fields_that_are_not_indices_are_ignored():
    assert models.partition_indices([b"0", b"12", b"", b"-1", b"x", b"9" * 5000]) == {0, 12}


def progress(**fields):
    record = {
        "schema": 1,
        "partition": 3,
        "state": "embedding",
        "photos": 500,
        "photos_done": 100,
        "outcomes": {"ok": 100},
    }
    times = {"started_at": NOW - 10, "updated_at": NOW, "eta_seconds": 40.0}
    return Progress.model_validate(record | times | {"photos_per_second": 10.0, "attempt": 1, "host": "h"} | fields)


@pytest.mark.parametrize("module", [models, partitions_module, links], ids=lambda module: module.__name__)
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("record", "task", "state"),
    [
        (None, None, "waiting"),
        (None, Task("queued", 0), "waiting"),
        (None, Task("running", 1), "starting"),
        (None, Task("deferred", 1), "starting"),
        (progress(), Task("running", 1), "embedding"),
        (progress(), Task("deferred", 1), "embedding"),
        (progress(updated_at=NOW - 61), Task("running", 1), "silent"),
        (progress(), Task("running", 2), "starting"),
        (progress(state="failed"), Task("up_for_retry", 1), "retrying"),
        (progress(state="failed"), Task("queued", 1), "retrying"),
        (progress(), Task("failed", 5), "failed"),
        (None, Task("upstream_failed", 0), "failed"),
        (progress(state="failed"), None, "failed"),
        (progress(), None, "embedding"),
    ],
)
def test_states(record, task, state):
    assert partition(WHOLE, record, task, committed=False, now=NOW).state == state


@pytest.mark.parametrize("task", [None, Task("running", 2), Task("failed", 5), Task("up_for_retry", 1)])
def test_a_commit_counts_whatever_the_task_state_is(task):
    found = partition(WHOLE, progress(state="failed"), task, committed=True, now=NOW)
    assert (found.state, found.done) == ("committed", 500)


def test_the_rate_is_what_was_done_in_the_window():
    """However the work is split into partitions, if it is done in the last minute."""
    source = random.Random(0)
    records = [
        progress(partition=index, started_at=NOW - source.uniform(31, 59), updated_at=NOW - source.uniform(0, 30))
        for index in range(50)
    ]
    partitions = [partition(WHOLE, record, None, committed=False, now=NOW) for record in records]
    done = sum(record.photos_per_second * (record.updated_at - record.started_at) for record in records)
    assert recent_rate(partitions, NOW) == pytest.approx(done / (NOW - min(record.started_at for record in records)))


def test_the_rate_is_that_of_the_last_minute_however_fast_it_was_before():
    """An hour: 59 minutes at 10 photos a second, the last one at 1."""
    slower = progress(photos_done=35_460, started_at=NOW - 3600, photos_per_second=9.85, recent_photos_per_second=1.0)
    found = totals([partition(PlannedPartition(index=3, photos=36_060), slower, None, committed=False, now=NOW)], NOW)
    assert (found.rate, found.eta) == (1.0, 600.0)


@pytest.mark.parametrize(
    ("fields", "committed", "eta"),
    [
        ({}, False, 40.0),
        ({"eta_seconds": None}, False, None),  # a partition that has no estimate yet
        ({"eta_seconds": None, "photos": 250, "photos_done": 250}, True, 25.0),
        ({"started_at": NOW - 9}, False, None),
        ({"recent_photos_per_second": 0.9}, False, None),  # nine photos
    ],
)
def test_the_time_left_is_estimated_once_the_rate_is_known(fields, committed, eta):
    planned = (
        [WHOLE] if not committed else [PlannedPartition(index=3, photos=250), PlannedPartition(index=4, photos=250)]
    )
    partitions = [partition(planned[0], progress(**fields), None, committed, NOW)]
    partitions += [partition(one, None, None, committed=False, now=NOW) for one in planned[1:]]
    assert totals(partitions, NOW).eta == eta


def test_a_reused_partition_does_not_make_the_rate_known():
    """Nothing was computed for it in this run."""
    taken = progress(photos_per_second=0.0, recent_photos_per_second=0.0, photos_done=500, eta_seconds=None)
    new = progress(partition=4, photos_done=9, recent_photos_per_second=0.9, eta_seconds=None)
    partitions = [partition(WHOLE, taken, None, committed=True, now=NOW)]
    partitions += [partition(PlannedPartition(index=4, photos=500), new, None, committed=False, now=NOW)]
    assert totals(partitions, NOW).eta is None


def test_a_stuck_partition_does_not_change_the_rate_of_the_others():
    stuck = progress(started_at=NOW - 3600, recent_photos_per_second=0.0)
    new = progress(started_at=NOW - 6, recent_photos_per_second=10.0)
    partitions = [partition(WHOLE, record, None, committed=False, now=NOW) for record in (stuck, new)]
    assert recent_rate(partitions, NOW) == 1.0


def test_records_of_an_earlier_version_have_only_their_mean_rate():
    found = partition(WHOLE, progress(), None, committed=False, now=NOW)
    assert (found.recent, found.named) == (10.0, 0)


def test_a_clock_that_is_ahead_adds_no_work():
    ahead = partition(WHOLE, progress(started_at=NOW + 100, updated_at=NOW + 200), None, committed=False, now=NOW)
    assert recent_rate([ahead], NOW) == 0.0
    assert totals([ahead], NOW).eta is None


def test_a_finished_run_has_nothing_left():
    found = totals([partition(WHOLE, progress(photos_done=500), None, committed=True, now=NOW)], NOW)
    assert (found.done, found.photos, found.eta) == (500, 500, None)


def test_a_record_never_adds_photos():
    found = partition(WHOLE, progress(photos_done=10_000), None, committed=False, now=NOW)
    assert found.done == 500
