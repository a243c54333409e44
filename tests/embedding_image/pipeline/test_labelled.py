"""Labels from lists and tables: the same means as from folders, and nothing reused under another label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelled_forms import FORMS, PEOPLE, as_parquet_of_paths, rows
from meanface.pipeline.run import Run
from meanface.results.result import ResultRecord

Means = dict[str, tuple[int, list[float]]]


@pytest.fixture
def people(tmp_path: Path, face: Callable[[int], bytes], write: Callable[..., Path]) -> Path:
    """Six photos in the folders of three people."""
    photos = {f"{who}/{number}.bmp": face(number) for who, numbers in PEOPLE.items() for number in numbers}
    return write(tmp_path / "people", photos)


def outcome(run: Run, result: ResultRecord) -> tuple[Any, ...]:
    table = pq.read_table(pa.BufferReader(run.files.read(result.artifacts["label_means"])))
    means = {row["label"]: (row["faces"], row["mean"]) for row in table.to_pylist()}
    return result.mean, result.standard_error, result.outcomes, result.faces, means


@pytest.mark.parametrize("form", [*FORMS[:1], *(pytest.param(form, marks=pytest.mark.long) for form in FORMS[1:])])
def test_lists_and_tables_give_the_same_means_as_folders(shared: Any, people: Path, form: Any) -> None:
    """The mean and the means by label, bit for bit."""
    run = shared.embedded("folders", people, labels="parent_folder")
    folders = outcome(run, shared.reduce(run))
    assert {label: faces for label, (faces, _) in folders[-1].items()} == {"ann": 3, "bob": 2, "zoë": 1}
    dataset, settings = form(people)
    other = shared.elsewhere()
    run = other.embedded("list", dataset, **settings)
    assert outcome(run, other.reduce(run)) == folders


def test_another_label_is_not_reused_and_the_same_one_is(shared: Any, reused: Any, people: Path) -> None:
    path = people / "list.csv"
    path.write_text("path,label,team\n" + "".join(f"{name},{who},{len(who)}\n" for name, who in rows(people)))
    shared.result("first", path, label_column="label", face_pixels=False)
    again = shared.embedded("again", path, label_column="label", face_pixels=False)
    assert sum(count for commit in reused(again) for count in commit.values()) == 6
    teams = shared.embedded("teams", path, label_column="team", face_pixels=False)
    assert [commit for commit in reused(teams) if commit] == []
    assert sorted(outcome(teams, shared.reduce(teams))[-1]) == ["3"]
    path.write_text(path.read_text().replace("ann/0.bmp,ann", "ann/0.bmp,eve"))
    changed = shared.embedded("changed", path, label_column="label", face_pixels=False)
    assert sum(count for commit in reused(changed) for count in commit.values()) == 5
    assert sorted(outcome(changed, shared.reduce(changed))[-1]) == ["ann", "bob", "eve", "zoë"]


def test_a_list_without_labels_has_the_recipe_and_fingerprint_of_earlier_runs(shared: Any, people: Path) -> None:
    """The columns affect no embedding."""
    path = as_parquet_of_paths(people)[0]
    first = shared.embedded("first", path).manifest()
    named = shared.embedded("named", path, url_column="image").manifest()
    assert (first.recipe, first.fingerprint) == (named.recipe, named.fingerprint)
    assert first.recipe == shared.embedded("folders", people).manifest().recipe
