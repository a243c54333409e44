"""The sample's photos, embedded by the real workers, when their stage dies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.before import Before
from faults.driver import Script
from faults.place import Place
from faults.processes import Driver
from faults.valkey import Valkey

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def before(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    folder = tmp_path_factory.mktemp("real")
    with Valkey(folder / "valkey") as valkey:
        script = Script(folders=[str(folder / "storage")], chunk=2, real=True)
        yield Before(Place(driver, valkey, "sample", str(folder / "storage"), 2, 6, script), folder / "before")


def test_deaths_while_real_workers_embed(before: Before, every_step: bool) -> None:
    """Between its second chunk and its end, where there is something to be lost."""
    steps = before.steps["embed 0"]
    for step in range(steps // 2, steps, 6 if every_step else steps // 3):
        assert before.survives("embed 0", step, power_cut=step % 2 == 0)
