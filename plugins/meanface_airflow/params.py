"""The DAG's params and their trigger form: one param for each option of `meanface plan`.

Types, defaults, limits and descriptions are those of meanface's settings: `scripts/trigger_form.py`
writes them to `trigger_form.json`. What only the form needs (titles, sections, names of choices) is
here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Param as AirflowParam

FILE = Path(__file__).with_name("trigger_form.json")
DRAFT = "http://json-schema.org/draft-07/schema#"
"""the version of JSON schema that a param's schema names: a task checks each several times, and every check of this
version takes a third of the time of the newest one's"""


class Param:
    """A param: its default, its description, and the JSON schema of its values.

    It is not Airflow's own class, which takes seconds to import: `make run` checks params before it
    starts Airflow.
    """

    def __init__(self, default: Any, *, description: str, **schema: Any) -> None:
        self.default = default
        self.description = description
        self.schema = schema

    @property
    def types(self) -> list[str]:
        """The JSON types that the param accepts."""
        named = self.schema["type"]
        return list(named) if isinstance(named, list) else [named]


NO_CREDENTIALS = r"^(?!(?:[\s\S]*\n)?[A-Za-z][A-Za-z0-9+.-]*:/+[^/?#\n]*@)"
"""no line with a user and a password: params are displayed, logged, and part of each pod's command
line"""

FORM: dict[str, dict[str, Any]] = {
    "dataset": {
        "title": "Dataset",
        "default": "sample",
        "format": "multiline",
        "pattern": NO_CREDENTIALS,
        "examples": ["sample", "lfw", "s3://photos/%Y/%m/%d/"],
    },
    "checksum": {"title": "Checksum"},
    "include": {"title": "Include"},
    "exclude": {"title": "Exclude"},
    "sample": {"title": "Sample"},
    "limit": {"title": "Limit"},
    "follow_links": {"title": "Follow links"},
    "faces": {
        "title": "Faces",
        "values_display": {
            "first": "first found, as face_recognition does",
            "largest": "largest",
            "all": "all",
            "single": "only photos with one face",
        },
    },
    "min_face": {"title": "Smallest face"},
    "min_score": {"title": "Lowest score"},
    "upsample": {"title": "Doublings before the search"},
    "landmarks": {
        "title": "Landmarks",
        "values_display": {"small": "5 points", "large": "68 points"},
    },
    "num_jitters": {"title": "Copies of each face"},
    "labels": {
        "title": "Labels",
        "values_display": {
            "none": "none",
            "parent_folder": "the photo's folder",
            "top_folder": "the first folder below the dataset",
            "column": "a column of the list, or a field beside the photo",
            "level": "a folder of the photo's path",
            "pattern": "a part of the photo's name",
        },
    },
    "label_column": {"title": "Column of labels"},
    "label_level": {"title": "Level of labels"},
    "label_pattern": {"title": "Pattern of labels"},
    "url_column": {"title": "Column of photos"},
    "name_column": {"title": "Column of names"},
    "embedder": {
        "title": "Embedder",
        "pattern": NO_CREDENTIALS + r"(dlib|face_recognition|onnx|.+\.toml)$",
        "examples": ["dlib", "face_recognition", "/var/lib/meanface/models/sface.toml"],
    },
    "detector": {
        "title": "Detector",
        "values_display": {
            "hog": "for frontal faces, as face_recognition by default",
            "cnn": "network, which also finds turned faces, slower",
        },
    },
    "exif_orientation": {"title": "EXIF orientation"},
    "max_side": {"title": "Longer side"},
    "face_pixels": {"title": "Face pixels"},
    "partition_size": {"title": "Partition size", "section": "Limits"},
    "max_failed_fraction": {"title": "Largest fraction of failed photos", "section": "Limits"},
    "max_pixels": {"title": "Pixels of a photo", "section": "Limits"},
    "max_bytes": {"title": "Bytes of a photo", "section": "Limits"},
    "series": {"title": "Series", "section": "Series"},
}
"""What the form adds to the settings, in the form's order.

A setting that is missing here comes last, under its own name."""

NOTES = {
    "dataset": "No user and password: everyone who can see the DAG's runs can see its params.",
    "series": "Name of a series of runs, such as one run per day. This run's photos also count in the exact mean of "
    "the series. Each run needs a logical date; to repeat a run, clear it.",
}
"""Sentences about Airflow, added to a setting's description."""


def _params(fields: dict[str, dict[str, Any]]) -> dict[str, Param]:
    """The params from the settings' fields, in the form's order."""
    params = {}
    for name in sorted(fields, key=lambda name: list(FORM).index(name) if name in FORM else len(FORM)):
        field = {"title": name, **fields[name], **FORM.get(name, {})}
        sentences = (field.pop("description", ""), NOTES.get(name, ""))
        params[name] = Param(field.pop("default"), description=" ".join(filter(None, sentences)), **field)
    return params


PARAMS = _params(json.loads(FILE.read_text()))


def for_airflow(defaults: Mapping[str, Any]) -> dict[str, AirflowParam]:
    """The same params as Airflow's own class, some with other defaults; ValueError for an unknown one."""
    from airflow.sdk import Param as AirflowParam

    if unknown := sorted(defaults.keys() - PARAMS.keys()):
        raise ValueError(f"no such params: {', '.join(unknown)}; expected some of {', '.join(PARAMS)}")
    return {
        name: AirflowParam(
            defaults.get(name, param.default), description=param.description, schema={"$schema": DRAFT, **param.schema}
        )
        for name, param in PARAMS.items()
    }
