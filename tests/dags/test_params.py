import json
import subprocess
from pathlib import Path

import pytest
from airflow.sdk import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from meanface_airflow.params import PARAMS, for_airflow

MEANFACE = Path(__file__).parents[2] / ".venvs" / "meanface" / "bin" / "python"

SCHEMA = """
import json
from meanface.storage.layout import NAME
from meanface.settings import Settings
print(json.dumps({**Settings.model_json_schema(), "series": f"^{NAME}$"}))
"""


def params(**given):
    """All params' values, these among them, checked as Airflow does."""
    values = ParamsDict(for_airflow()).__deepcopy__(None)
    values.update(given)
    return values.validate()


def test_the_defaults_are_valid_and_mean_the_sample():
    assert params()["dataset"] == "sample"


@pytest.mark.parametrize("name", PARAMS)
def test_the_form_explains_every_param(name):
    assert PARAMS[name].description.endswith(".") or PARAMS[name].description.endswith(").")
    assert PARAMS[name].schema["title"]
    assert PARAMS[name].schema["type"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", ""),
        ("dataset", 7),
        ("dataset", "https://user:s3cret@photos.example/a.tgz"),
        ("dataset", "s3://key:s3cret@photos"),
        ("dataset", "https:///user:s3cret@photos.example/"),
        ("checksum", "d41d8cd98f00b204e9800998ecf8427e"),
        ("checksum", "md5:xyz"),
        ("faces", "second"),
        ("min_face", -1),
        ("min_face", 2.5),
        ("min_score", -0.1),
        ("labels", "names"),
        ("embedder", "dlib"),
        ("exif_orientation", "yes"),
        ("face_pixels", "no"),
        ("partition_size", 0),
        ("partition_size", 2.5),
        ("partition_size", 10_000_001),
        ("max_failed_fraction", 1.01),
        ("max_failed_fraction", -0.1),
        ("max_pixels", 0),
        ("max_bytes", 0),
        ("max_side", 63),
        ("series", "a/b"),
        ("series", ""),
        ("series", ".."),
    ],
)
def test_a_bad_value_is_refused_by_name(name, value):
    with pytest.raises(ParamValidationError, match=name):
        params(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "s3://photos/%Y/%m/%d/"),
        ("dataset", "https://photos.example/@ada/photos.tgz?to=a@b"),
        ("dataset", "/photos/a@b"),
        ("checksum", None),
        ("checksum", f"sha256:{'0' * 64}"),
        ("faces", "single"),
        ("min_face", 40),
        ("min_score", 0.5),
        ("labels", "parent_folder"),
        ("labels", "top_folder"),
        ("embedder", "face_recognition"),
        ("exif_orientation", False),
        ("face_pixels", False),
        ("max_side", None),
        ("max_side", 1600),
        ("partition_size", 1),
        ("max_failed_fraction", 0),
        ("max_failed_fraction", 0.25),
        ("series", None),
        ("series", "faces-2026"),
    ],
)
def test_a_good_value_is_taken(name, value):
    assert params(**{name: value})[name] == value


def test_the_form_and_meanface_agree():
    """Same names, defaults, choices and bounds on both sides of the border, but that params take no passwords."""
    printed = subprocess.run([MEANFACE, "-c", SCHEMA], capture_output=True, check=True).stdout
    schema = json.loads(printed)
    theirs = schema["properties"]
    assert set(PARAMS) == {*theirs, "series"}
    assert PARAMS["series"].schema["pattern"] == schema["series"]
    for name, field in theirs.items():
        ours = PARAMS[name].schema
        if name != "dataset":
            assert PARAMS[name].value == field["default"], name
        if reference := field.get("$ref"):
            assert ours["enum"] == schema["$defs"][reference.rpartition("/")[2]]["enum"], name
        bounds = {"minimum", "maximum", "minLength"} | ({"pattern"} if name != "dataset" else set())
        for bound in bounds & (ours.keys() | field.keys()):
            theirs_bound = field.get(bound, next((one[bound] for one in field.get("anyOf", ()) if bound in one), None))
            assert ours.get(bound) == theirs_bound, f"{name}: {bound}"
