"""The recipe: new settings are in it only where they change something."""

from __future__ import annotations

from typing import Any

import pytest

from meanface.embedder.recipe import ADDED, SCHEMA, identity, recipe, record_sha256
from meanface.photo_settings import EmbedderName
from meanface.settings import Settings

FIRST = {
    "faces": "first",
    "min_face": 0,
    "min_score": 0.0,
    "labels": "none",
    "embedder": "dlib",
    "max_pixels": 200_000_000,
    "max_side": None,
    "max_bytes": 200_000_000,
    "exif_orientation": True,
}
"""The settings that recipes had before there were others, with their defaults."""

CHANGES: list[dict[str, Any]] = [
    {"upsample": 0},
    {"upsample": 2},
    {"upsample": 3},
    {"landmarks": "large"},
    {"num_jitters": 2},
    {"num_jitters": 3},
    {"upsample": 0, "landmarks": "large", "num_jitters": 2},
]


def test_runs_with_defaults_have_the_recipe_that_they_had_before() -> None:
    """So caches, results and series stay valid."""
    before = {"schema": SCHEMA, "settings": FIRST, "identity": identity(EmbedderName.DLIB)}
    assert identity(EmbedderName.DLIB)["detector"] == "dlib HOG, upsampled 1 time(s)"
    assert recipe(Settings(dataset="any")) == record_sha256(before)
    assert recipe(Settings.of(dataset="any", upsample=1, landmarks="small", num_jitters=1)) == record_sha256(before)


def test_every_other_value_is_another_recipe() -> None:
    recipes = {recipe(Settings.of(dataset="any", **change)) for change in [{}, *CHANGES]}
    assert len(recipes) == len(CHANGES) + 1


def test_the_recipe_names_the_detectors_doublings() -> None:
    assert identity(EmbedderName.DLIB, 0)["detector"] == "dlib HOG, upsampled 0 time(s)"


@pytest.mark.parametrize("change", CHANGES)
def test_settings_written_before_are_read_with_the_defaults(change: dict[str, Any]) -> None:
    """As a manifest of an earlier release has them; and new ones come back from JSON."""
    settings = Settings.of(dataset="any", **change)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    earlier = Settings(dataset="any").model_dump(mode="json", exclude=ADDED)
    assert Settings(**earlier) == Settings(dataset="any")
