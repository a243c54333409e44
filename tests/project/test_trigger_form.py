"""The trigger form's file has the settings as they are now."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

import trigger_form


def test_the_file_is_current() -> None:
    assert trigger_form.main(["--check"]) == 0


@pytest.mark.parametrize("change", [{"minimum": 7}, {"default": 7}, {"description": "Another sentence."}])
def test_a_changed_setting_is_noticed(
    change: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Writing the file again makes it current."""
    fields = json.loads(trigger_form.FILE.read_text())
    fields["min_face"] |= change
    monkeypatch.setattr(trigger_form, "FILE", tmp_path / "trigger_form.json")
    trigger_form.FILE.write_text(json.dumps(fields, indent=2) + "\n")
    assert trigger_form.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert trigger_form.main([]) == 0
    assert trigger_form.main(["--check"]) == 0


def test_a_missing_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigger_form, "FILE", tmp_path / "trigger_form.json")
    assert trigger_form.main(["--check"]) == 1


def test_examples() -> None:
    assert doctest.testmod(trigger_form).failed == 0
