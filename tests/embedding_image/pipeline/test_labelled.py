"""Labels from lists and tables: the same means as from folders, and nothing reused under another label."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.pipeline.run import Run
from meanface.results.result import Result

PEOPLE = {"ann": (0, 1, 2), "bob": (3, 4), "zoë": (5,)}
Means = dict[str, tuple[int, list[float]]]


@pytest.fixture
def people(tmp_path: Path, face: Callable[[int], bytes], write: Callable[..., Path]) -> Path:
    """Six photos in the folders of three people."""
    photos = {f"{who}/{number}.bmp": face(number) for who, numbers in PEOPLE.items() for number in numbers}
    return write(tmp_path / "people", photos)


def rows(people: Path) -> list[tuple[str, str]]:
    """Path and person of each photo, in another order than the folder's."""
    return [(str(path.relative_to(people)), path.parent.name) for path in sorted(people.glob("*/*"), reverse=True)]


def as_csv(people: Path) -> tuple[Path, dict[str, str]]:
    path = people / "list.csv"
    with path.open("w", encoding="utf-16", newline="") as file:
        csv.writer(file, delimiter=";").writerows([("file_name", "who"), *rows(people)])
    return path, {"label_column": "who"}


def as_json_lines(people: Path) -> tuple[Path, dict[str, str]]:
    path = people / "list.jsonl"
    path.write_text("".join(f"{json.dumps({'path': name, 'label': who})}\n" for name, who in rows(people)))
    return path, {"labels": "column"}


def as_parquet_of_paths(people: Path) -> tuple[Path, dict[str, str]]:
    names, persons = zip(*rows(people), strict=True)
    pq.write_table(pa.table({"image": names, "person": persons}), people / "list.parquet")
    return people / "list.parquet", {"label_column": "person"}


def as_hub(people: Path) -> tuple[Path, dict[str, str]]:
    """Two tables in a folder, as the package `datasets` writes them, with numbers of classes."""
    classes = sorted(PEOPLE)
    feature = {"image": {"_type": "Image"}, "label": {"names": classes, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": feature}})}
    (people.parent / "hub").mkdir()
    for number in range(2):
        part = rows(people)[number::2]
        images = [{"bytes": (people / name).read_bytes(), "path": Path(name).name} for name, _ in part]
        table = pa.table({"image": images, "label": [classes.index(who) for _, who in part]})
        path = people.parent / f"hub/train-0000{number}-of-00002.parquet"
        pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=2)
    return people.parent / "hub", {"label_column": "label"}


def as_web_dataset(people: Path) -> tuple[Path, dict[str, str]]:
    """Two shards, with the label before or behind its photo."""
    for number in range(2):
        with tarfile.open(people.parent / f"s-{number}.tar", "w") as shard:
            for place, (name, who) in enumerate(rows(people)[number::2]):
                members = [("bmp", (people / name).read_bytes()), ("json", json.dumps({"person": who}).encode())]
                for suffix, data in members[:: (-1) ** place]:
                    info = tarfile.TarInfo(f"{place:06}.{suffix}")
                    info.size = len(data)
                    shard.addfile(info, io.BytesIO(data))
    return people.parent / "s-*.tar", {"label_column": "person"}


def as_image_folder(people: Path) -> tuple[Path, dict[str, str]]:
    """One folder, with a table of metadata beside the photos."""
    flat = people.parent / "flat"
    flat.mkdir()
    text = "file_name,label\n"
    for name, who in rows(people):
        (flat / Path(name).name).write_bytes((people / name).read_bytes())
        text += f"{Path(name).name},{who}\n"
    (flat / "metadata.csv").write_text(text)
    return flat, {"labels": "column"}


def as_names(people: Path) -> tuple[Path, dict[str, str]]:
    """One folder, with the person in each photo's name."""
    named = people.parent / "named"
    named.mkdir()
    for name, who in rows(people):
        (named / f"{who}_{Path(name).name}").write_bytes((people / name).read_bytes())
    return named, {"label_pattern": "^(?P<label>[^_]+)_"}


def as_level(people: Path) -> tuple[Path, dict[str, int]]:
    """The same folders, further down."""
    deep = people.parent / "deep"
    shutil.copytree(people, deep / "all/people")
    return deep, {"label_level": 3}


def outcome(run: Run, result: Result) -> tuple[Any, ...]:
    table = pq.read_table(pa.BufferReader(run.files.read(result.artifacts["label_means"])))
    means = {row["label"]: (row["faces"], row["mean"]) for row in table.to_pylist()}
    return result.mean, result.standard_error, result.outcomes, result.faces, means


FORMS = [as_csv, as_json_lines, as_parquet_of_paths, as_hub, as_web_dataset, as_image_folder, as_names, as_level]


@pytest.mark.parametrize("form", FORMS)
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
