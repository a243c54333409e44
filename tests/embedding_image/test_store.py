"""One contract for all stores; then what Redis adds: keys that expire, and outages."""

from __future__ import annotations

import doctest
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

import meanface.store
from meanface.errors import Conflict, IncompleteRun, StoreUnavailable
from meanface.store import MemoryStore, RedisStore, Store

DAY = 24 * 60 * 60


def new_run() -> str:
    return f"manual__2026-01-01T00:00:00+00:00_{uuid4().hex}"


def connect(url: str, run: str = "", *, patience: float = 20, **options: Any) -> closing[RedisStore]:
    return closing(RedisStore.connect(url, run or new_run(), patience=patience, **options))


def wait_until(holds: Callable[[], object], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# --- the contract -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "valkey", "redis-server"])
def store(request: pytest.FixtureRequest, shared_server: Callable[[str], Any]) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore(new_run())
    else:
        with connect(shared_server(request.param).url) as found:
            yield found


def test_a_new_run_has_nothing(store: Store) -> None:
    assert store.manifest() is None
    assert store.result() is None
    assert store.committed() == set()
    assert store.progress() == {}
    assert list(store.records([])) == []


def test_the_first_manifest_stays(store: Store) -> None:
    store.put_manifest('{"photos": 1, "first": "é"}', "d1")
    store.put_manifest('{"photos": 1, "planned": "again"}', "d1")
    assert store.manifest() == '{"photos": 1, "first": "é"}'
    with pytest.raises(Conflict, match=rf"run {re.escape(store.run)} .* d1, .* d2"):
        store.put_manifest("{}", "d2")
    assert store.manifest() == '{"photos": 1, "first": "é"}'


def test_the_first_commit_of_a_partition_stays(store: Store) -> None:
    record = bytes(range(256))
    assert store.commit(7, record, "aa") == "stored"
    assert store.commit(7, b"the same, other timings", "aa") == "duplicate"
    with pytest.raises(Conflict, match=rf"partition 7 of run {re.escape(store.run)} .* digest aa, this attempt got bb"):
        store.commit(7, b"other", "bb")
    assert store.commit(0, b"", "aa") == "stored"
    assert store.committed() == {0, 7}
    assert list(store.records([7, 0])) == [(7, record), (0, b"")]


def test_of_32_concurrent_commits_one_is_stored(store: Store) -> None:
    start = Barrier(32)

    def commit(attempt: int) -> str:
        start.wait()
        return store.commit(3, b"attempt %d" % attempt, "same")

    with ThreadPoolExecutor(32) as threads:
        outcomes = list(threads.map(commit, range(32)))
    assert sorted(outcomes) == ["duplicate"] * 31 + ["stored"]
    assert list(store.records([3])) == [(3, b"attempt %d" % outcomes.index("stored"))]


def test_records_are_streamed(store: Store) -> None:
    for partition in range(40):
        store.commit(partition, b"%d" % partition, "d")
    asked = []
    partitions = (asked.append(partition) or partition for partition in range(40))
    records = store.records(partitions)
    assert next(records) == (0, b"0")
    assert len(asked) <= 16
    assert list(records) == [(partition, b"%d" % partition) for partition in range(1, 40)]


def test_a_missing_record_is_named(store: Store) -> None:
    store.commit(1, b"one", "d")
    with pytest.raises(IncompleteRun, match=rf"{re.escape(store.run)} has no commit record of partition 2"):
        list(store.records([1, 2]))


def test_the_last_progress_and_the_last_result_are_kept(store: Store) -> None:
    for text in ("{}", '{"host": "é"}'):
        store.put_progress(5, text)
        store.put_result(text)
    assert store.progress() == {5: '{"host": "é"}'}
    assert store.result() == '{"host": "é"}'


# --- Redis: keys --------------------------------------------------------------------------------------------------


def test_every_key_of_a_run_expires_and_a_commit_puts_that_off(server: Any, fill: Callable[[Store], None]) -> None:
    run = new_run()
    with connect(server.url, run, ttl=1000) as store:
        fill(store)
        keys = {key.decode() for key in server.admin.scan_iter(match=f"*{run}*", count=1000)}
        names = ("manifest", "manifest-digest", "commits", "digests", "progress", "result")
        assert keys == {f"meanface:{{{run}}}:{name}" for name in names}
        assert all(990 <= server.admin.ttl(key) <= 1000 for key in keys)
        for key in keys:
            server.admin.expire(key, 60)
        assert store.commit(0, b"zero", "d") == "duplicate"
        assert all(server.admin.ttl(key) >= 990 for key in keys)


def test_a_run_is_kept_for_30_days(server: Any) -> None:
    run = new_run()
    with connect(server.url, run) as store:
        store.commit(0, b"", "d")
        assert 30 * DAY - 60 <= server.admin.ttl(f"meanface:{{{run}}}:commits") <= 30 * DAY


def test_runs_do_not_mix_and_a_run_is_found_again(server: Any) -> None:
    run = new_run()
    with connect(server.url, run) as first, connect(server.url) as other, connect(server.url, run) as again:
        first.commit(0, b"zero", "d")
        assert other.committed() == set()
        assert again.commit(0, b"zero", "d") == "duplicate"


def test_clients_carry_a_name(server: Any) -> None:
    with connect(server.url):
        assert "meanface" in {client["name"] for client in server.admin.client_list()}


# --- Redis: away --------------------------------------------------------------------------------------------------


def test_killed_and_started_again_in_the_middle_loses_nothing(new_server: Callable[..., Any]) -> None:
    server = new_server()
    with connect(server.url) as store, ThreadPoolExecutor(2) as threads, capture_logs() as logs:
        store.commit(0, b"zero", "d0")
        server.kill()
        commit = threads.submit(store.commit, 1, b"one", "d1")
        read = threads.submit(lambda: list(store.records([0])))
        wait_until(lambda: len([line for line in logs if line["event"] == "redis is away"]) == 2)
        server.start()
        assert commit.result(timeout=20) == "stored"
        assert read.result(timeout=20) == [(0, b"zero")]
        assert dict(store.records([0, 1])) == {0: b"zero", 1: b"one"}
    assert [line["event"] for line in logs].count("redis is back") == 2


@pytest.mark.parametrize("stale", ["yes", "no"], ids=["READONLY", "MASTERDOWN"])
def test_a_failover_is_waited_for(new_server: Callable[..., Any], stale: str) -> None:
    server = new_server("--replica-serve-stale-data", stale)
    with (
        connect(server.url) as store,
        socket.create_server(("127.0.0.1", 0)) as nobody,
        ThreadPoolExecutor(1) as threads,
        capture_logs() as logs,
    ):
        server.admin.replicaof(*nobody.getsockname())
        commit = threads.submit(store.commit, 1, b"one", "d")
        wait_until(lambda: logs)
        server.admin.replicaof("NO", "ONE")
        assert commit.result(timeout=20) == "stored"


def test_progress_is_given_up_at_once_and_said_once_per_outage(new_server: Callable[..., Any]) -> None:
    server = new_server()
    with connect(server.url, patience=1000) as store:
        for _ in range(2):
            server.kill()
            with capture_logs() as logs:
                for _ in range(3):
                    store.put_progress(0, "lost")
            assert [line["event"] for line in logs] == ["progress is not reported"]
            server.start()
            store.put_progress(0, "found")
            assert store.progress() == {0: "found"}


def test_a_full_memory_is_an_error_at_once_and_leaves_nothing_half_done(new_server: Callable[..., Any]) -> None:
    server = new_server()
    with connect(server.url, patience=1000) as store:
        server.admin.config_set("maxmemory", "1")
        for write in (lambda: store.commit(0, b"zero", "d"), lambda: store.put_manifest("{}", "d")):
            with pytest.raises(StoreUnavailable, match=r"memory of Redis at .* is full; raise its maxmemory"):
                write()
        store.put_progress(0, "{}")
        assert not server.admin.keys()
        server.admin.config_set("maxmemory", "0")
        assert store.commit(0, b"zero", "d") == "stored"


def test_a_commit_whose_reply_is_lost_is_a_duplicate_when_asked_again(
    server: Any, new_proxy: Callable[..., Any]
) -> None:
    proxy = new_proxy(server.port)
    with connect(f"redis://127.0.0.1:{proxy.port}") as store:
        proxy.cut_next_script = True
        assert store.commit(0, b"zero", "d") == "duplicate"
        assert not proxy.cut_next_script
        assert dict(store.records(store.committed())) == {0: b"zero"}


@pytest.mark.parametrize("module", [meanface.store.memory, meanface.store.address])
def test_examples_in_the_documentation(module: Any) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted > 0
    assert tried.failed == 0
