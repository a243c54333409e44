import doctest
from pathlib import Path

import pytest

from laptop import database, environment, progress, run
from laptop.home import Busy, Home


@pytest.mark.parametrize("module", [database, progress, run], ids=lambda module: module.__name__)
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("dataset", ["sample", "lfw", "s3://photos/%Y/", "zip://*.jpg::s3://photos/all.zip"])
def test_what_is_no_path_stays(dataset):
    assert run.conf(dataset, [])["dataset"] == dataset


def test_a_path_becomes_absolute():
    assert run.conf("photos/*.tar", [])["dataset"] == str(Path.cwd() / "photos" / "*.tar")
    assert run.conf("~/photos", [])["dataset"] == str(Path.home() / "photos")


def test_a_param_without_a_value_is_refused():
    with pytest.raises(ValueError, match="--param faces"):
        run.conf("sample", ["faces"])


def test_one_command_at_a_time(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    with home.lock(), pytest.raises(Busy, match="another command"), Home.of({"MEANFACE_HOME": str(tmp_path)}).lock():
        pass
    with home.lock():
        pass


def test_secrets_stay_the_same_and_differ_between_homes(tmp_path):
    first, again, other = (Home.of({"MEANFACE_HOME": str(tmp_path / name)}).secrets for name in ("a", "a", "b"))
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_another_airflows_settings_do_not_come_in(tmp_path):
    inherited = {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW_HOME": "/other", "AWS_PROFILE": "photos"}
    settings = environment.of_airflow(Home.of({"MEANFACE_HOME": str(tmp_path)}), 8081, 6380, "/socket", inherited)
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert settings["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert settings["AWS_PROFILE"] == "photos"


def test_what_a_person_types_may_be_anywhere_unless_he_says_otherwise(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    for inherited, expected in (({}, "dataset"), ({"MEANFACE_PRIVATE_ADDRESSES": "refuse"}, "refuse")):
        assert environment.of_airflow(home, 8081, 6380, "/socket", inherited)["MEANFACE_PRIVATE_ADDRESSES"] == expected


def test_a_proxy_does_not_stand_before_this_machine(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    settings = environment.of_airflow(
        home, 8081, 6380, "/socket", {"HTTPS_PROXY": "http://proxy", "no_proxy": "intranet"}
    )
    assert settings["NO_PROXY"].split(",") == ["intranet", "127.0.0.1", "localhost"]
