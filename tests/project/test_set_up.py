"""Set-up names what is missing, and detects changes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import set_up

ROOT = Path(__file__).parents[2]
PROJECT = '[project]\nname = "some"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{}]\n'


def fails_at(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands that have this word fail, and all others end well at once."""
    monkeypatch.setattr(set_up, "patiently", lambda *command, **_: int(word in map(str, command)))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without packages, with a lock; it stands for both."""
    (tmp_path / "pyproject.toml").write_text(PROJECT.format(""))
    subprocess.run([set_up.UV, "lock", "--offline", "--quiet", "--project", tmp_path], check=True)
    environments = {tmp_path / "one": tmp_path}
    monkeypatch.setattr(set_up, "PROJECTS", environments)
    return tmp_path


@pytest.mark.parametrize(
    ("word", "message"), [("venv", "apt-get install python3-venv"), ("pip", "check the network connection")]
)
def test_uv_needs_venv_and_the_network(
    word: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fails_at(word, monkeypatch)
    monkeypatch.setattr(set_up, "UV", tmp_path / "uv/bin/uv")
    with pytest.raises(set_up.SetUpFailed, match=message):
        set_up.install_uv()


def test_uv_of_another_version_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fails_at("venv", monkeypatch)
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(set_up, "UV", tmp_path / "bin/uv")
    set_up.UV.write_text("#!/bin/sh\necho uv 0.0.1\n")
    set_up.UV.chmod(0o755)
    with pytest.raises(set_up.SetUpFailed):
        set_up.install_uv()


def test_a_missing_network_and_a_stale_lock_are_distinguished(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_at("sync", monkeypatch)
    with pytest.raises(set_up.SetUpFailed, match="check the network connection"):
        set_up.install(project / "one")
    (project / "pyproject.toml").write_text(PROJECT.format('"numpy"'))
    with pytest.raises(set_up.SetUpFailed, match=r"uv\.lock does not match .*: run 'make lock'"):
        set_up.install(project / "one")


def test_nothing_is_stale_behind_set_up() -> None:
    assert set_up.stale() == []


def test_an_environment_is_stale_when_its_project_changes(project: Path) -> None:
    environment = project / "one"
    subprocess.run(set_up.sync(environment, "--quiet", "--offline"), env=set_up.variables(environment), check=True)
    assert set_up.stale() == []
    (project / "pyproject.toml").write_text(PROJECT.format('"numpy"'))
    assert set_up.stale() == [environment]


def test_an_environment_whose_set_up_was_interrupted_is_filled_anew(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = project / "one"

    def killed(*_: object, **__: object) -> int:
        (environment / "lib").mkdir(parents=True)
        (environment / "lib/half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(set_up, "patiently", killed)
        with pytest.raises(KeyboardInterrupt):
            set_up.install(environment)
    assert set_up.stale() == [environment]
    set_up.install(environment)
    assert not (environment / "lib/half").exists()
    assert set_up.stale() == []


def test_the_native_code_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_at("nothing", monkeypatch)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to("/bin/true")
    monkeypatch.setattr(set_up, "STAGES", tmp_path)
    set_up.prepare_models()
    assert "needs a C++17 compiler" in capsys.readouterr().out
    native = tmp_path / "lib/python3.11/site-packages/meanface/some/place/_native.so"
    native.parent.mkdir(parents=True)
    native.touch()
    set_up.prepare_models()
    assert capsys.readouterr().out == ""


def test_a_missing_python_is_named() -> None:
    command = ["make", "-C", str(ROOT), "setup", "PYTHON=python3.0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "python3.0 not found; install Python 3.11" in done.stderr
