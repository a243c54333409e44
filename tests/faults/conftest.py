"""How many schedules there are, where they run, and the table of how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import fsspec
import pytest

from faults import collection
from faults.before import Before
from faults.driver import Script
from faults.fields import Fields, Quiet
from faults.kinds import KINDS
from faults.place import Place
from faults.processes import Driver
from faults.smalldisk import SmallDisk
from faults.table import Table
from faults.valkey import Valkey

SCHEDULES = len(KINDS)
"""one that begins with each kind of fault"""
QUICK = SCHEDULES // 3
"""how many of them `make test` has"""

_TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--schedules", type=int, default=SCHEDULES, help="Random schedules; their seeds count from 0.")
    parser.addoption("--seed", type=int, help="The one schedule to run.")
    parser.addoption("--every-step", action="store_true", help="Die at every I/O step, and not at some.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        only = metafunc.config.getoption("--seed", None)
        seeds = range(metafunc.config.getoption("--schedules", SCHEDULES)) if only is None else [only]
        marks = [pytest.mark.long]
        each = [pytest.param(seed, marks=marks if seed >= QUICK else [], id=f"seed-{seed}") for seed in seeds]
        metafunc.parametrize("seed", each)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = Table()


def pytest_sessionfinish(session: Any) -> None:
    if hasattr(session.config, "workeroutput"):  # one of several processes
        session.config.workeroutput["faults"] = session.config.stash[_TABLE].to_json()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if found := getattr(node, "workeroutput", {}).get("faults"):
        node.config.stash[_TABLE].add(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    table = terminalreporter.config.stash[_TABLE]
    if table:
        terminalreporter.section("faults")
        for line in table.lines():
            terminalreporter.line(line)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    return request.config.stash[_TABLE]


@pytest.fixture
def every_step(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--every-step", False))


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with Driver(tmp_path_factory.mktemp("driver")) as running:
        yield running


@pytest.fixture(scope="session")
def befores(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Before]]:
    """Two small runs that are the same, to die side by side: 14 photos of all kinds, partitions of 2 and 3 chunks."""
    folder = tmp_path_factory.mktemp("every-step")
    photos = collection.make(folder / "photos", photos=14, crash=9)
    with ExitStack() as stack:
        made = []
        for name in ("left", "right"):
            valkey = stack.enter_context(Valkey(folder / f"{name}-valkey"))
            script = Script(folders=[str(folder / name), str(photos)], chunk=4)
            place = Place(driver, valkey, str(photos), str(folder / name), 2, 9, script)
            made.append(Before(place, folder / f"before-{name}"))
        made[1].quiet.check(made[0].quiet)
        yield made


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """A server that speaks S3; this process knows it, too."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setitem(fsspec.config.conf, "s3", {"endpoint_url": f"http://127.0.0.1:{port}"})
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield port
        fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@pytest.fixture(scope="session")
def fields(driver: Driver, tmp_path_factory: pytest.TempPathFactory, s3_port: int) -> Iterator[Fields]:
    folder = tmp_path_factory.mktemp("schedules")
    with SmallDisk(folder / "disk") as disk:
        yield Fields(folder, driver, disk, s3_port)


@pytest.fixture(scope="session")
def quiet(fields: Fields) -> Quiet:
    return fields.quiet()
