"""One labelled collection in every form that labels have: folders, lists, tables, shards, names.

::

    python tests/labelled_forms.py FOLDER  # makes every form beside it; prints addresses and settings as JSON
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PEOPLE = {"ann": (0, 1, 2), "bob": (3, 4), "zoë": (5,)}


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


FORMS = [as_csv, as_json_lines, as_parquet_of_paths, as_hub, as_web_dataset, as_image_folder, as_names, as_level]


if __name__ == "__main__":
    made = [form(Path(sys.argv[1])) for form in FORMS]
    sys.stdout.write(json.dumps([(str(path), settings) for path, settings in made]))
