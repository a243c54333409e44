"""A run over a choice of photos: its recipe, its account, and what later runs reuse of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meanface.dataset import SAMPLE
from meanface.embedder.recipe import recipe
from meanface.errors import EmptyDataset
from meanface.results.result import ResultRecord
from meanface.settings import Settings

CHOICES = [
    {"include": ["nikola_tesla"]},
    {"exclude": ["no_face"]},
    {"sample": 3},
    {"limit": 3},
    {"follow_links": True},
]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_is_not_in_the_recipe(choice: dict[str, object]) -> None:
    assert recipe(Settings.of(dataset="sample", **choice)) == recipe(Settings(dataset="sample"))


@pytest.mark.parametrize("choice", [{"limit": 4}, {"sample": 4}, {"include": ["eileen_collins", "nikola_tesla"]}])
def test_the_whole_dataset_reuses_a_choice_bit_for_bit(
    choice: dict[str, object], run_on: Callable[..., ResultRecord], tmp_path: Path
) -> None:
    """Trying a few photos first costs nothing."""
    part = run_on(SAMPLE, tmp_path / "out", **choice)
    whole = run_on(SAMPLE, tmp_path / "out")
    fresh = run_on(SAMPLE, tmp_path / "fresh")
    assert (part.photos, whole.photos, whole.photos_reused) == (4, 7, 4)
    assert (whole.mean, whole.fingerprint) == (fresh.mean, fresh.fingerprint)
    assert (tmp_path / "out" / "mean_face.png").read_bytes() == (tmp_path / "fresh" / "mean_face.png").read_bytes()


def test_the_account_names_what_a_choice_leaves_out(run_on: Callable[..., ResultRecord], tmp_path: Path) -> None:
    result = run_on(SAMPLE, tmp_path / "out", exclude=["no_face"], limit=2)
    assert result.photos == 2
    assert [sentence.partition(" (")[0] for sentence in result.account[:2]] == [
        "passed over: photos left out by limit=2: 4",
        "passed over: photos left out by exclude: 1",
    ]
    assert (result.settings["exclude"], result.settings["limit"]) == (["no_face"], 2)


def test_a_choice_of_nothing_says_what_was_left_out(run_on: Callable[..., ResultRecord], tmp_path: Path) -> None:
    with pytest.raises(EmptyDataset, match=r"no photo in it\. Passed over: photos left out by include: 7 \('eileen"):
        run_on(SAMPLE, tmp_path / "out", include=["*.jpeg"])


def test_followed_links_are_embedded(run_on: Callable[..., ResultRecord], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "people").symlink_to(SAMPLE)
    followed = run_on(tmp_path / "photos", tmp_path / "out", follow_links=True)
    assert (followed.photos, followed.mean) == (7, run_on(SAMPLE, tmp_path / "direct").mean)
