import doctest
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from machine import CHECKOUT, Laptop

from laptop import cli, database, environment, params, progress, run, waiting
from laptop.home import Busy, Home, write_private
from laptop.services import ServiceError, Services
from meanface_airflow.params import PARAMS


@pytest.mark.parametrize("module", [database, params, progress], ids=lambda module: module.__name__)
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("dataset", ["sample", "lfw", "s3://photos/%Y/", "zip://*.jpg::s3://photos/all.zip"])
def test_a_dataset_that_is_not_a_path_is_kept(dataset):
    assert params.conf(dataset, {})["dataset"] == dataset


@pytest.mark.parametrize("name", ["plain", "it's", 'a "b"', "a$b", "$(touch x)", "`touch x`", "50%", "a{b}[c]*?#", " "])
def test_an_existing_path_is_taken_literally_and_becomes_absolute(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert params.conf(name, {})["dataset"] == str(tmp_path / name)


def test_a_pattern_needs_the_folder_above_it(tmp_path):
    (tmp_path / "photos").mkdir()
    for pattern in ("*.tar", "%Y/%m/%d", "part-{0..9}.tar"):
        assert params.conf(f"{tmp_path}/photos/{pattern}", {})["dataset"] == f"{tmp_path}/photos/{pattern}"
        with pytest.raises(params.OptionError, match=re.escape(f"no such folder: {tmp_path}/other")):
            params.conf(f"{tmp_path}/other/{pattern}", {})


def test_several_datasets_are_one_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("anna", "bob", "two\nlines"):
        (tmp_path / name).mkdir()
    found = params.conf("anna\r\n\nlfw\nbob/\ns3://photos/%Y/\n", {})["dataset"]
    assert found == f"{tmp_path}/anna\nlfw\n{tmp_path}/bob\ns3://photos/%Y/"
    assert params.conf("two\nlines", {})["dataset"] == f"{tmp_path}/two\nlines"
    with pytest.raises(params.OptionError, match=f"no such file or folder: {tmp_path}/nobody"):
        params.conf("anna\nnobody", {})


def test_a_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    assert params.conf("~/photos", {})["dataset"] == str(tmp_path / "photos")


def options(*words):
    """The params from a command line."""
    parser = params.Parser(prog="run")
    params.add_options(parser)
    return params.conf("sample", vars(parser.parse(words)))


def test_without_an_option_the_dags_default_applies():
    assert options() == {"dataset": "sample"}


@pytest.mark.parametrize("name", sorted(set(PARAMS) - {"dataset", "checksum", "series"}))
def test_every_param_is_an_option(name):
    schema, option = PARAMS[name].schema, f"--{name.replace('_', '-')}"
    if schema["type"] == "boolean":
        assert options(option)[name] is True
        assert options(option.replace("--", "--no-"))[name] is False
    elif schema["type"] == "array":
        assert options(option, "a/*", f"{option}=b") == {"dataset": "sample", name: ["a/*", "b"]}
    else:
        free = schema.get("examples", ["word"])[-1] if "string" in schema["type"] else schema.get("minimum", 0)
        value = schema["enum"][-1] if "enum" in schema else free
        assert options(option, str(value)) == {"dataset": "sample", name: value}


def test_a_checksum_and_a_series_with_its_date_are_options():
    assert options("--checksum", f"md5:{'0' * 32}")["checksum"] == f"md5:{'0' * 32}"
    assert options("--series", "days", "--date", "2026-01-05")["series"] == "days"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--label", "parent_folder"], "--label: no such option; did you mean --labels?"),
        (["--partition_size", "3"], "--partition_size: no such option; did you mean --partition-size?"),
        (["--nonsense"], "--nonsense: no such option; the options are --checksum"),
        (["--labels", "names"], "--labels: 'names' is not one of"),
        (["--partition-size", "0"], "--partition-size: 0 is less than the minimum"),
        (["--partition-size", "few"], "--partition-size: invalid int value: 'few'"),
        (["--max-failed-fraction", "1.5"], "--max-failed-fraction: 1.5 is greater than the maximum"),
        (["--checksum", "abc"], "--checksum: invalid value. Checksum that the dataset's archive must have"),
        (["--series", "days"], "--series: needs --date"),
        (["--date", "yesterday", "--series", "days"], "--date: invalid"),
        (["photos"], "photos: no such option"),
    ],
)
def test_a_wrong_option_is_refused_by_name(words, sentence):
    with pytest.raises(params.OptionError, match=re.escape(sentence)):
        options(*words)


def test_a_dataset_with_a_password_is_refused_before_anything_starts():
    with pytest.raises(params.OptionError, match="No user and password"):
        params.conf("https://user:s3cret@photos.example/a.tgz", {})


def test_a_refusal_starts_nothing_and_leaves_no_home_of_airflow(tmp_path):
    laptop = Laptop(tmp_path)
    for words in (["--dataset", "no/such/folder"], ["--faces", "second"], ["--words", "--faces 'second"]):
        done = laptop.do("run", *words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert laptop.saved() is None


@pytest.mark.parametrize("command", [[".venvs/airflow/bin/airflow"], ["scripts/bin/airflow"]])
def test_airflow_that_is_not_up_explains_what_to_do_and_creates_no_home(tmp_path, command):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment = inherited | {"HOME": str(tmp_path), "MEANFACE_HOME": str(tmp_path / "local")}
    done = subprocess.run(
        [CHECKOUT / command[0], "dags", "list"], check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "Airflow is not up: `make up` starts it"
    assert not (tmp_path / "airflow").exists()


def test_the_settings_of_a_shell_are_those_of_airflow(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path / "it's $(touch x)")})
    settings = environment.airflow_environment(
        home, 8081, 6380, "/socket", {"MEANFACE_STORAGE": "s3://b/`x`", "LANG": "C"}
    )
    file = tmp_path / "environment"
    file.write_text(environment.shell_settings(home, settings))
    printed = subprocess.run(
        ["sh", "-c", f". {file}; . {file}; env -0"], check=True, capture_output=True, env={"PATH": os.defpath}
    )
    taken = dict(line.split("=", 1) for line in printed.stdout.decode().split("\0") if line)
    expected = {name: value for name, value in settings.items() if name.startswith(("AIRFLOW_", "MEANFACE_"))}
    assert {name: taken.get(name) for name in expected} == expected
    assert taken["MEANFACE_HOME"] == str(home.path)
    assert taken["PATH"] == f"{CHECKOUT / 'scripts/bin'}:{os.defpath}"


def test_one_command_at_a_time(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    with home.lock(), pytest.raises(Busy, match="another command"), Home.of({"MEANFACE_HOME": str(tmp_path)}).lock():
        pass
    with home.lock():
        pass


def test_a_folder_with_a_variable_in_its_path_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Airflow would replace"):
        Home.of({"MEANFACE_HOME": str(tmp_path / "$HOME")})


def test_secrets_stay_the_same_and_differ_between_homes(tmp_path):
    first, again, other = (Home.of({"MEANFACE_HOME": str(tmp_path / name)}).secrets for name in ("a", "a", "b"))
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_two_concurrent_writes_leave_a_complete_file(tmp_path, monkeypatch):
    """The second one starts and ends just before the first one's file gets its name."""
    path, replace = tmp_path / "kept", Path.replace

    def interrupted(partial, target):
        monkeypatch.setattr(Path, "replace", replace)
        write_private(path, "second")
        return partial.replace(target)

    monkeypatch.setattr(Path, "replace", interrupted)
    write_private(path, "first")
    assert path.read_text() == "first"
    assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]


def test_passwords_are_written_only_if_they_differ(tmp_path):
    def written():
        home = Home.of({"MEANFACE_HOME": str(tmp_path)})
        assert json.loads(home.passwords.read_text() if home.secrets else "") == {"admin": home.secrets["ui_password"]}
        return home.passwords.stat().st_ino

    first = written()
    (tmp_path / "kept").hardlink_to(Home(tmp_path).passwords)  # so that its inode number is not reused
    assert written() == first
    Home(tmp_path).passwords.write_text("{}")
    assert written() != first


def test_another_airflows_settings_are_not_inherited(tmp_path):
    inherited = {"AIRFLOW__CORE__EXECUTOR": "CeleryExecutor", "AIRFLOW_HOME": "/other", "AWS_PROFILE": "photos"}
    settings = environment.airflow_environment(
        Home.of({"MEANFACE_HOME": str(tmp_path)}), 8081, 6380, "/socket", inherited
    )
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert settings["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert settings["AWS_PROFILE"] == "photos"


@pytest.mark.parametrize("name", ["PGSERVICE", "PGOPTIONS", "PGTARGETSESSIONATTRS"])
def test_another_postgresqls_settings_are_not_inherited(tmp_path, monkeypatch, name):
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    monkeypatch.setenv(name, "none")
    assert cli.main(["airflow", "version"]) == 1  # Airflow is not up
    assert name not in os.environ


def test_datasets_may_be_at_private_addresses_by_default(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    for inherited, expected in (({}, "dataset"), ({"MEANFACE_PRIVATE_ADDRESSES": "refuse"}, "refuse")):
        assert (
            environment.airflow_environment(home, 8081, 6380, "/socket", inherited)["MEANFACE_PRIVATE_ADDRESSES"]
            == expected
        )


@pytest.mark.parametrize("chosen", [None, "s3://bucket/results"])
def test_the_printed_paths_are_those_of_the_storage(tmp_path, monkeypatch, capsys, chosen):
    """Also if the shell has set another storage since."""
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    storage = environment.storage(home, {"MEANFACE_STORAGE": chosen} if chosen else {})
    monkeypatch.setenv("MEANFACE_HOME", str(tmp_path))
    monkeypatch.setenv("MEANFACE_STORAGE", "/elsewhere")
    services = Services(home, 8081, 6380, "/socket", storage, kept=True)
    result = {"mean": [0.0], "outcomes": {}, "photos": 0, "faces": 0, "photos_with_face": 0, "run": "one"}
    monkeypatch.setattr(waiting, "handle_signals", lambda: None)
    monkeypatch.setattr(cli, "_start_or_find", lambda *_, **__: (services, 0.0))
    monkeypatch.setattr(run, "follow", lambda *_: result | {"location": f"{storage}/runs/one"})
    assert cli.main(["up"]) == cli.main(["run"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert f"storage     {storage}" in printed
    assert printed[-2:] == [f"files       {storage}/runs/one", f"report      {storage}/runs/one/report.html"]
    assert services.settings(os.environ)["MEANFACE_STORAGE"] == storage


def test_settings_that_differ_from_the_running_airflows_are_refused(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    chosen = {"MEANFACE_KERNELS": "dlib", "MEANFACE_PRIVATE_ADDRESSES": "10.0.0.0/8"}
    services = Services(home, 8081, 6380, "/socket", str(home.storage), kept=True, chosen=chosen)
    services.check_settings({"PATH": "/bin", "MEANFACE_HOME": str(tmp_path)})
    services.check_settings(chosen)
    services.check_settings(services.settings(chosen))  # a shell with the settings' file
    for name, value in (("DETECTOR", "native"), ("STORAGE", "/elsewhere"), ("CACHE", "/cache")):
        with pytest.raises(ServiceError, match=rf"another value of MEANFACE_{name}: stop it with `make down`"):
            services.check_settings(chosen | {f"MEANFACE_{name}": value})


def test_warnings_of_a_result_are_printed():
    result = {"mean": [0.0], "outcomes": {}, "photos": 0, "faces": 0, "photos_with_face": 0}
    assert run.summary(result | {"warnings": ["one label"]}).endswith("\nwarning     one label")


def test_no_proxy_is_used_for_this_machine(tmp_path):
    home = Home.of({"MEANFACE_HOME": str(tmp_path)})
    settings = environment.airflow_environment(
        home, 8081, 6380, "/socket", {"HTTPS_PROXY": "http://proxy", "no_proxy": "intranet"}
    )
    assert settings["NO_PROXY"].split(",") == ["intranet", "127.0.0.1", "localhost"]
