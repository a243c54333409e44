import json

import pytest
from airflow.sdk import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from meanface_airflow.params import FILE, FORM, NO_CREDENTIALS, NOTES, PARAMS, _params, for_airflow


def params(**given):
    """The values of all params, these among them, validated as Airflow does."""
    values = ParamsDict(for_airflow({})).__deepcopy__(None)
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
        ("dataset", "sample\nlfw\nhttps://user:s3cret@photos.example/a.tgz"),
        ("dataset", "s3://key:s3cret@photos\nsample"),
        ("checksum", "d41d8cd98f00b204e9800998ecf8427e"),
        ("checksum", "md5:xyz"),
        ("include", "people/*"),
        ("exclude", [7]),
        ("sample", 0),
        ("limit", 2.5),
        ("follow_links", "yes"),
        ("faces", "second"),
        ("min_face", -1),
        ("min_face", 2.5),
        ("min_score", -0.1),
        ("upsample", 4),
        ("upsample", -1),
        ("landmarks", "medium"),
        ("num_jitters", 0),
        ("num_jitters", 1001),
        ("labels", "names"),
        ("embedder", "cuda"),
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
        ("embedder", "https://ada:secret@models.example/sface.toml"),
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
        ("dataset", "sample\nhttps://photos.example\n/photos/a@b\r\ns3://photos/a@b\n"),
        ("checksum", None),
        ("checksum", f"sha256:{'0' * 64}"),
        ("include", ["people/*", "*.jpg"]),
        ("exclude", []),
        ("sample", 100),
        ("limit", None),
        ("follow_links", True),
        ("faces", "single"),
        ("min_face", 40),
        ("min_score", 0.5),
        ("labels", "parent_folder"),
        ("labels", "top_folder"),
        ("embedder", "face_recognition"),
        ("embedder", "/models/sface.toml"),
        ("embedder", "s3://models/sface.toml"),
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
def test_a_good_value_is_accepted(name, value):
    assert params(**{name: value})[name] == value


def test_every_param_is_a_setting():
    """The file's names, defaults, choices and limits; another test checks that it is current."""
    settings = json.loads(FILE.read_text())
    assert set(PARAMS) == set(settings)
    for name, setting in settings.items():
        param = PARAMS[name]
        assert param.description.startswith(setting.pop("description", "")), name
        assert setting.pop("default", "sample") == param.default, name
        if name == "dataset":
            setting["pattern"] = NO_CREDENTIALS
        assert setting.items() <= param.schema.items(), name


def test_the_form_changes_no_setting():
    """It adds titles, sections and names of choices; for addresses patterns and examples, and the dataset's default."""
    settings = json.loads(FILE.read_text())
    assert set(FORM) | set(NOTES) <= set(settings)
    for name, more in FORM.items():
        own = {"dataset": {"default", "format", "pattern", "examples"}, "embedder": {"pattern", "examples"}}.get(
            name, set()
        )
        assert set(more) <= {"title", "section", "values_display"} | own, name
        if "values_display" in more:
            assert list(more["values_display"]) == settings[name]["enum"]


def test_a_setting_that_the_form_does_not_know_comes_last_under_its_own_name():
    fields = {"new": {"default": 1, "type": "integer", "description": "Something new."}} | json.loads(FILE.read_text())
    added = _params(fields)
    assert list(added) == [*PARAMS, "new"]
    assert (added["new"].default, added["new"].schema) == (1, {"title": "new", "type": "integer"})
