"""One contract for every state; then what Redis adds: keys that expire, and outages."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

import statefields
from meanface.errors import Conflict, IncompleteRun, RedisUnavailable
from meanface.state import MemoryState, State
from meanface.state.redis import RedisState
from polling import until

DAY = 24 * 60 * 60


def new_run() -> str:
    return f"manual__2026-01-01T00:00:00+00:00_{uuid4().hex}"


def connect(url: str, run: str = "", *, patience: float = 20, **options: Any) -> closing[RedisState]:
    return closing(RedisState.connect(url, run or new_run(), patience=patience, **options))


@contextmanager
def planned_at(url: str, run: str = "", **options: Any) -> Iterator[RedisState]:
    """The state of a run that has the manifest with the digest `plan`."""
    with connect(url, run, **options) as state:
        state.put_manifest("{}", "plan")
        yield state


# --- the contract -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "valkey", "redis-server"])
def state(request: pytest.FixtureRequest, shared_server: Callable[[str], Any]) -> Iterator[State]:
    if request.param == "memory":
        yield MemoryState(new_run())
    else:
        with connect(shared_server(request.param).url) as found:
            yield found


@pytest.fixture
def planned(state: State) -> State:
    """The state of a run that has the manifest with the digest `plan`."""
    state.put_manifest("{}", "plan")
    return state


def test_a_new_run_has_nothing(state: State) -> None:
    assert state.manifest() is None
    assert state.result() is None
    assert state.committed() == set()
    assert statefields.progress(state) == {}
    assert list(state.records([])) == []


def test_the_first_manifest_stays(state: State) -> None:
    state.put_manifest('{"photos": 1, "first": "é"}', "d1")
    state.put_manifest('{"photos": 1, "planned": "again"}', "d1")
    assert state.manifest() == '{"photos": 1, "first": "é"}'
    with pytest.raises(Conflict, match=rf"run {re.escape(state.run)} .* d1, .* d2"):
        state.put_manifest("{}", "d2")
    assert state.manifest() == '{"photos": 1, "first": "é"}'


def test_the_first_commit_of_a_partition_stays(planned: State) -> None:
    record = bytes(range(256))
    assert planned.commit(7, record, "aa", "plan") == "stored"
    assert planned.commit(7, b"the same, other timings", "aa", "plan") == "duplicate"
    message = rf"partition 7 of run {re.escape(planned.run)} .* digest aa, this attempt got bb"
    with pytest.raises(Conflict, match=message):
        planned.commit(7, b"other", "bb", "plan")
    assert planned.commit(0, b"", "aa", "plan") == "stored"
    assert planned.committed() == {0, 7}
    assert list(planned.records([7, 0])) == [(7, record), (0, b"")]


def test_of_32_concurrent_commits_one_is_stored(planned: State) -> None:
    start = Barrier(32)

    def commit(attempt: int) -> str:
        start.wait()
        return planned.commit(3, b"attempt %d" % attempt, "same", "plan")

    with ThreadPoolExecutor(32) as threads:
        outcomes = list(threads.map(commit, range(32)))
    assert sorted(outcomes) == ["duplicate"] * 31 + ["stored"]
    assert list(planned.records([3])) == [(3, b"attempt %d" % outcomes.index("stored"))]


def test_records_are_streamed(planned: State) -> None:
    for partition in range(40):
        planned.commit(partition, b"%d" % partition, "d", "plan")
    asked = []
    partitions = (asked.append(partition) or partition for partition in range(40))
    records = planned.records(partitions)
    assert next(records) == (0, b"0")
    assert len(asked) <= 16
    assert list(records) == [(partition, b"%d" % partition) for partition in range(1, 40)]


def test_a_missing_record_is_named(planned: State) -> None:
    planned.commit(1, b"one", "d", "plan")
    with pytest.raises(IncompleteRun, match=rf"{re.escape(planned.run)} has no commit record of partition 2"):
        list(planned.records([1, 2]))


def test_the_last_progress_and_the_last_result_are_kept(planned: State) -> None:
    for text in ("{}", '{"host": "é"}'):
        planned.put_progress(5, text, "plan")
        planned.put_result(text, "plan")
        planned.put_failures(5, text, "plan")
    assert statefields.progress(planned) == statefields.failures(planned) == {5: '{"host": "é"}'}
    assert planned.result() == '{"host": "é"}'


def test_each_attempt_keeps_its_last_record_while_the_plan_is_the_same(planned: State) -> None:
    for name, text in (("embed/0/a", "{}"), ("embed/0/b", "{}"), ("embed/0/a", '{"state": "done"}')):
        planned.put_attempt(name, text, "plan")
    planned.put_attempt("embed/0/c", "{}", "another plan")
    assert statefields.attempts(planned) == {"embed/0/a": '{"state": "done"}', "embed/0/b": "{}"}
    planned.put_manifest('{"photos": 2}', "again", replaces="plan")
    assert statefields.attempts(planned) == {}


def test_a_manifest_that_replaces_another_deletes_its_records(planned: State) -> None:
    planned.commit(0, b"zero", "d", "plan")
    planned.put_progress(0, "{}", "plan")
    planned.put_failures(0, "{}", "plan")
    planned.put_result("{}", "plan")
    for _ in range(2):  # the second time as one whose reply was lost
        planned.put_manifest('{"photos": 2}', "again", replaces="plan")
        assert planned.manifest() == '{"photos": 2}'
        assert (
            planned.committed(),
            statefields.progress(planned),
            statefields.failures(planned),
            planned.result(),
        ) == (set(), {}, {}, None)
    assert planned.commit(0, b"other", "e", "again") == "stored"
    planned.put_manifest('{"photos": 2}', "again", replaces="plan")
    assert list(planned.records([0])) == [(0, b"other")]


@pytest.mark.parametrize("replaces", [None, "", "other", "new"])
def test_a_manifest_replaces_only_the_one_that_it_names(planned: State, replaces: str | None) -> None:
    planned.commit(0, b"zero", "d", "plan")
    with pytest.raises(Conflict, match="digest plan, this attempt got new"):
        planned.put_manifest("[]", "new", replaces=replaces)
    assert (planned.manifest(), planned.committed()) == ("{}", {0})


def test_a_manifest_that_replaces_itself_changes_nothing(planned: State) -> None:
    planned.commit(0, b"zero", "d", "plan")
    planned.put_manifest("{}", "plan", replaces="plan")
    assert planned.committed() == {0}


def test_records_for_another_plan_are_refused(planned: State) -> None:
    planned.put_manifest("[]", "again", replaces="plan")
    with pytest.raises(Conflict, match=rf"run {re.escape(planned.run)} is planned with digest again, .* digest plan"):
        planned.commit(0, b"late", "d", "plan")
    with pytest.raises(Conflict, match="the run was planned again"):
        planned.put_result("{}", "plan")
    planned.put_progress(0, "{}", "plan")
    planned.put_failures(0, "{}", "plan")
    assert (planned.committed(), statefields.progress(planned), statefields.failures(planned), planned.result()) == (
        set(),
        {},
        {},
        None,
    )


def test_without_a_plan_nothing_is_kept(state: State) -> None:
    with pytest.raises(Conflict, match="is not planned any more"):
        state.commit(0, b"zero", "d", "plan")
    with pytest.raises(Conflict, match="is not planned any more"):
        state.put_result("{}", "plan")
    state.put_progress(0, "{}", "plan")
    state.put_failures(0, "{}", "plan")
    assert (state.committed(), statefields.progress(state), statefields.failures(state), state.result()) == (
        set(),
        {},
        {},
        None,
    )


def test_of_16_concurrent_plans_in_place_of_one_another_one_is_kept(planned: State) -> None:
    start = Barrier(16)

    def plan(attempt: int) -> bool:
        start.wait()
        try:
            planned.put_manifest(str(attempt), f"plan {attempt}", replaces="plan")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        kept = list(threads.map(plan, range(16)))
    assert kept.count(True) == 1
    assert planned.manifest() == str(kept.index(True))


# --- Redis: keys --------------------------------------------------------------------------------------------------


def test_every_key_of_a_run_expires_and_a_commit_renews_it(server: Any, fill: Callable[[State], None]) -> None:
    run = new_run()
    with connect(server.url, run, ttl=1000) as state:
        fill(state)
        keys = {key.decode() for key in server.admin.scan_iter(match=f"*{run}*", count=1000)}
        names = ("manifest", "manifest-digest", "commits", "digests", "progress", "failures", "attempts", "result")
        assert keys == {f"meanface:{{{run}}}:{name}" for name in names}
        assert all(990 <= server.admin.ttl(key) <= 1000 for key in keys)
        for key in keys:
            server.admin.expire(key, 60)
        assert state.commit(0, b"zero", "d", "plan") == "duplicate"
        assert all(server.admin.ttl(key) >= 990 for key in keys)


def test_a_run_is_kept_for_30_days(server: Any) -> None:
    run = new_run()
    with planned_at(server.url, run) as state:
        state.commit(0, b"", "d", "plan")
        assert 30 * DAY - 60 <= server.admin.ttl(f"meanface:{{{run}}}:commits") <= 30 * DAY


def test_runs_do_not_mix_and_a_run_is_found_again(server: Any) -> None:
    run = new_run()
    with planned_at(server.url, run) as first, connect(server.url) as other, connect(server.url, run) as again:
        first.commit(0, b"zero", "d", "plan")
        assert other.committed() == set()
        assert again.commit(0, b"zero", "d", "plan") == "duplicate"


def test_clients_carry_a_name(server: Any) -> None:
    with connect(server.url):
        assert "meanface" in {client["name"] for client in server.admin.client_list()}


# --- outages of Redis ---------------------------------------------------------------------------------------------


def test_killed_and_started_again_in_the_middle_loses_nothing(new_server: Callable[..., Any]) -> None:
    server = new_server()
    with planned_at(server.url) as state, ThreadPoolExecutor(2) as threads, capture_logs() as logs:
        state.commit(0, b"zero", "d0", "plan")
        server.kill()
        commit = threads.submit(state.commit, 1, b"one", "d1", "plan")
        read = threads.submit(lambda: list(state.records([0])))
        until(lambda: len([line for line in logs if line["event"] == "redis is unavailable"]) == 2)
        server.start()
        assert commit.result(timeout=20) == "stored"
        assert read.result(timeout=20) == [(0, b"zero")]
        assert dict(state.records([0, 1])) == {0: b"zero", 1: b"one"}
    assert [line["event"] for line in logs].count("redis is available again") == 2


@pytest.mark.parametrize("stale", ["yes", "no"], ids=["READONLY", "MASTERDOWN"])
def test_a_failover_is_waited_for(new_server: Callable[..., Any], stale: str) -> None:
    server = new_server("--replica-serve-stale-data", stale)
    with (
        planned_at(server.url) as state,
        socket.create_server(("127.0.0.1", 0)) as nobody,
        ThreadPoolExecutor(1) as threads,
        capture_logs() as logs,
    ):
        server.admin.replicaof(*nobody.getsockname())
        commit = threads.submit(state.commit, 1, b"one", "d", "plan")
        until(lambda: logs)
        server.admin.replicaof("NO", "ONE")
        assert commit.result(timeout=20) == "stored"


def test_progress_is_not_retried_and_logged_once_per_outage(new_server: Callable[..., Any]) -> None:
    server = new_server()
    with planned_at(server.url, patience=1000) as state:
        for _ in range(2):
            server.kill()
            with capture_logs() as logs:
                for _ in range(3):
                    state.put_progress(0, "lost", "plan")
            assert [line["event"] for line in logs] == ["progress is not reported"]
            server.start()
            state.put_progress(0, "found", "plan")
            assert statefields.progress(state) == {0: "found"}


def test_a_full_memory_is_an_error_at_once_and_leaves_nothing_half_done(new_server: Callable[..., Any]) -> None:
    server = new_server()
    with connect(server.url, patience=1000) as state:
        server.admin.config_set("maxmemory", "1")
        full = r"memory of Redis at .* is full; raise its maxmemory"
        with pytest.raises(RedisUnavailable, match=full):
            state.put_manifest("{}", "plan")
        assert not server.admin.keys()
        server.admin.config_set("maxmemory", "0")
        state.put_manifest("{}", "plan")
        state.commit(1, b"one", "d", "plan")
        before = server.admin.dbsize()
        server.admin.config_set("maxmemory", "1")
        for write in (
            lambda: state.commit(0, b"zero", "d", "plan"),
            lambda: state.put_manifest("[]", "again", replaces="plan"),
            lambda: state.put_result("{}", "plan"),
        ):
            with pytest.raises(RedisUnavailable, match=full):
                write()
        state.put_progress(0, "{}", "plan")
        state.put_failures(0, "{}", "plan")
        assert server.admin.dbsize() == before
        assert (state.manifest(), state.committed()) == ("{}", {1})
        server.admin.config_set("maxmemory", "0")
        assert state.commit(0, b"zero", "d", "plan") == "stored"


def test_a_repeated_commit_after_a_lost_reply_is_a_duplicate(server: Any, new_proxy: Callable[..., Any]) -> None:
    proxy = new_proxy(server.port)
    with planned_at(f"redis://127.0.0.1:{proxy.port}") as state:
        proxy.cut_next_script = True
        assert state.commit(0, b"zero", "d", "plan") == "duplicate"
        assert not proxy.cut_next_script
        assert dict(state.records(state.committed())) == {0: b"zero"}
