"""A photo that can be read again after its commit: the recorded outcome stays, or the run ends with an error."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from faults import collection
from faults.driver import Script
from faults.outcome import check_but_for
from faults.place import Place
from faults.processes import Driver
from faults.valkey import Valkey


@pytest.mark.parametrize("lost", [False, True], ids=["chunk kept", "chunk lost"])
def test_a_photo_that_comes_back(driver: Driver, tmp_path: Path, lost: bool) -> None:
    photos = collection.make(tmp_path / "photos", photos=14, crash=9)
    with Valkey(tmp_path / "valkey") as valkey:
        script = Script(folders=[str(tmp_path / "storage"), str(photos)], chunk=4)
        place = Place(driver, valkey, str(photos), str(tmp_path / "storage"), 2, 9, script)
        quiet = replace(place, run="quiet").plain()
        flapping = replace(place, storage=str(tmp_path / "other"))
        photo = photos / "label000" / "photo0002.jpg"
        assert not flapping.stage("plan").code
        photo.rename(photo.with_suffix(".away"))
        assert not flapping.stage("embed 0").code
        photo.with_suffix(".away").rename(photo)
        if not lost:
            check_but_for(flapping.plain(), quiet, photo.name)
        else:
            (chunk,) = Path(flapping.storage).glob("runs/run/ledger/*/00000/00000.parquet")
            chunk.unlink()
            ended = flapping.stage("embed 0")
            assert ended.code == 3
            assert re.search("Conflict: partition 0 of run run is committed with digest", ended.words)
        replace(flapping, run="another").plain().check(quiet)
