"""Settings, and the command line that carries them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import typer

from fuzz.mutate import VALUES, Mutator, json_changed
from fuzz.target import Target, held
from meanface.cli.app import app
from meanface.cli.options import given_dataset
from meanface.dataset import resolve
from meanface.errors import SettingsError
from meanface.pipeline.series import in_series
from meanface.settings import Settings
from meanface.storage.layout import checked_name

GOOD: dict[str, Any] = Settings(dataset="s3://photos/%Y/", checksum="md5:" + "0" * 32).model_dump(mode="json")
LINES = (
    "plan --run=scheduled__2026-01-02T00:00:00+00:00 --dataset=s3://b/%Y/ --date=2026-01-02T00:00Z --series=daily",
    "plan --run=r --dataset=sample --faces=largest --max-failed-fraction=0.5 --partition-size=10 --exif-orientation",
    "embed --run=r --partition=3 --attempt=2 --workers=4",
    "reduce --run=r",
    "run photos.tgz --output=out --checksum=md5:0123 --labels=parent_folder --no-exif-orientation --max-pixels=100",
    "model",
)
WORDS = (
    *("--", "-", "=", " ", "--run", "--date=", "--help", "nan", "inf", "-1", "1e400", "0x10", "1_000", "٣", "9" * 5000),
    *("\ud800", "\0", "0001-01-01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-W01", "%Y", "%d"),
)
LINE = Mutator([line.encode() for line in LINES], [word.encode("utf-8", "surrogatepass") for word in WORDS])
WRONG_USAGE: Any = typer.BadParameter.__base__
"""What Typer refuses a command line with, whichever Click is below it."""
COMMANDS = typer.main.get_command(app)


def settings(random: Random) -> bytes:
    """Settings as JSON, nearly right."""
    values = json_changed(random, GOOD)
    if isinstance(values, dict) and random.random() < 0.3:
        values[random.choice(list(GOOD))] = random.choice(VALUES)
    return json.dumps(values).encode()


def _settings(data: bytes) -> bool:
    values = json.loads(data)
    if not isinstance(values, dict):
        return False
    try:
        taken = Settings.of(**values)
    except SettingsError as refused:
        str(refused).encode()
        return False
    held(Settings.model_validate_json(taken.model_dump_json()) == taken, "other settings when they are read back")
    return True


def _command_line(data: bytes) -> bool:
    """What stands between the command line and a stage: options, settings, names, dates. No stage is run."""
    name, *words = data.decode("utf-8", "surrogateescape").split(" ")
    command = COMMANDS.commands.get(name)  # the commands of a group
    if command is None:
        return False
    try:
        given = command.make_context(name, words).params
        if given.get("run") is not None:  # `plan --dry-run` has none
            checked_name(given["run"])
        if "dataset" in given:
            values = {setting: given[setting] for setting in Settings.model_fields}
            values["dataset"] = resolve(given_dataset(values["dataset"], given.get("address")), given["date"])
            Settings.of(**values).dataset.encode()
        if given.get("series") is not None:
            in_series(given["series"], given["date"])
    except (WRONG_USAGE, typer.Exit, SettingsError):
        return False
    return True


TARGETS = (
    Target("settings.settings", settings, _settings, full=40_000, short=500),
    Target("settings.command-line", LINE, _command_line, full=30_000, short=300),
)
