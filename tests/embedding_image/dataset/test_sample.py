"""The sample that ships in the package."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest

from meanface.dataset import SAMPLE

ROOT = Path(__file__).parents[3]
PHOTOS = {str(path.relative_to(SAMPLE)): path.read_bytes() for path in SAMPLE.rglob("*.*")}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that builds it."""
    spec = importlib.util.spec_from_file_location("build_sample", ROOT / "scripts" / "build_sample.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_what_its_script_builds(script: ModuleType) -> None:
    """Except for the photos of a package that is not installed here: these have the SHA-256 that the script checks."""
    built = script.photos()
    others = {name: hashlib.sha256(PHOTOS[name]).hexdigest() for name in PHOTOS.keys() - built.keys()}
    assert {name: data for name, data in PHOTOS.items() if name not in others} == built
    assert others == script.FROM_NIKOLA


def test_it_is_listed_and_read(listed) -> None:
    found = listed("sample")
    assert found.read_all() == PHOTOS
    assert (found.source.url, found.source.passed_over, found.source.warnings) == ("sample", (), ())


def test_every_photo_has_its_source_named() -> None:
    sources = (SAMPLE.parent / "SOURCES.md").read_text()
    assert [name for name in PHOTOS if f"| `{name}` |" not in sources] == []


def test_a_first_run_has_two_faces_of_each_person_and_one_photo_without(run_on, tmp_path: Path) -> None:
    result = run_on("sample", tmp_path, faces="all", labels="parent_folder")
    assert (result.photos, result.faces, result.photos_with_face) == (7, 6, 6)
    assert {outcome: count for outcome, count in result.outcomes.items() if count} == {"ok": 6, "no_face": 1}
    people = pq.read_table(tmp_path / result.artifacts["label_means"], columns=["label", "faces"]).to_pylist()
    assert [(row["label"], row["faces"]) for row in people] == [
        ("eileen_collins", 2),
        ("grace_hopper", 2),
        ("nikola_tesla", 2),
    ]


def test_it_is_small() -> None:
    assert sum(len(data) for data in PHOTOS.values()) < 400_000
