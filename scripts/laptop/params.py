"""A run's params from options, as `meanface run` spells them; checked before anything starts."""

from __future__ import annotations

import argparse
import difflib
import glob
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator

from meanface_airflow.params import PARAMS, Param

BUILT_IN = ("sample", "lfw")


class WrongOption(ValueError):
    """An option that does not exist, or a value that it does not take."""


class Parser(argparse.ArgumentParser):
    """Takes whole names only, and refuses another with the name that is nearest, without a page of usage."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise WrongOption."""
        raise WrongOption(message)

    def parsed(self, words: Sequence[str]) -> argparse.Namespace:
        """The values that words give.

        Raises
        ------
        WrongOption
            naming it, and what to write instead
        """
        found, unknown = self.parse_known_args(words)
        if unknown:
            known = sorted({option for parser in self._all() for option in parser._option_string_actions})
            near = difflib.get_close_matches(unknown[0].partition("=")[0], known, n=1)
            advice = f"; is it {near[0]}?" if near else f"; there are {', '.join(known)}"
            self.error(f"{unknown[0]}: no such option{advice}")
        return found

    def _all(self) -> list[argparse.ArgumentParser]:
        """Itself, and the parsers of its commands."""
        commands = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return [self, *(parser for choices in commands for parser in choices.values())]


def add_options(parser: argparse.ArgumentParser) -> None:
    """An option for each param but the dataset; what is not given has the DAG's default."""
    for name, param in PARAMS.items():
        if name == "dataset":
            continue
        how: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": param.description.replace("%", "%%")}
        if "boolean" in param.types:
            how["action"] = argparse.BooleanOptionalAction
        else:
            how["type"] = {"integer": int, "number": float}.get(param.types[-1], str)
        parser.add_argument(f"--{name.replace('_', '-')}", **how)
    parser.add_argument("--date", type=_date, help="the run's date, which fills %%Y, %%m, %%d; a series needs one")


def conf(dataset: str, given: dict[str, Any]) -> dict[str, Any]:
    """The params of a run: those that were given, and the dataset, whose path becomes absolute.

    Airflow works in another folder.

    Raises
    ------
    WrongOption
        naming the param and what is wrong, also where no file or folder has the dataset's path

    >>> conf("s3://photos", {"partition_size": 100})
    {'partition_size': 100, 'dataset': 's3://photos'}
    """
    if dataset not in BUILT_IN and "://" not in dataset:
        dataset = _found(dataset)
    chosen = {name: value for name, value in given.items() if name in PARAMS} | {"dataset": dataset}
    for name, value in chosen.items():
        for problem in Draft202012Validator(PARAMS[name].schema).iter_errors(value):
            raise WrongOption(f"--{name.replace('_', '-')}: {_sentence(PARAMS[name], problem)}")
    if chosen.get("series") and not given.get("date"):
        raise WrongOption("--series: needs --date, which says what part of the series the run is")
    return chosen


def _sentence(param: Param, problem: Any) -> str:
    """What is wrong. A pattern is for machines, so that people get the param's description."""
    return param.description if problem.validator == "pattern" else str(problem.message)


def _found(dataset: str) -> str:
    try:
        path = Path(dataset).expanduser().absolute()
    except RuntimeError as unknown:
        raise WrongOption(f"--dataset: {dataset}: {unknown}") from None
    if not path.exists() and not ("%" in dataset or "{" in dataset or glob.has_magic(dataset)):
        raise WrongOption(f"--dataset: no such file or folder: {path}")
    if not path.exists() and not _fixed(path).is_dir():
        raise WrongOption(f"--dataset: no such folder: {_fixed(path)}, for {path}")
    return str(path)


def _fixed(path: Path) -> Path:
    """The folder above the first part that is a pattern or has a date's fields."""
    for parent in reversed(path.parents):
        if "%" in parent.name or "{" in parent.name or glob.has_magic(parent.name):
            return parent.parent
    return path.parent


def _date(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
