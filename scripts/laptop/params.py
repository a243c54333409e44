"""A run's params from command-line options, validated before anything starts."""

from __future__ import annotations

import argparse
import difflib
import glob
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator

from meanface_airflow.params import PARAMS, Param

BUILT_IN = ("sample", "lfw")


class OptionError(ValueError):
    """An unknown option, or an invalid value."""


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations, whose errors are one sentence with the nearest option."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise OptionError."""
        raise OptionError(message)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse a command line.

        Raises
        ------
        OptionError
            with the wrong option, and the one that was probably meant
        """
        found, unknown = self.parse_known_args(words)
        if unknown:
            known = sorted({option for parser in self._all() for option in parser._option_string_actions})
            near = difflib.get_close_matches(unknown[0].partition("=")[0], known, n=1)
            advice = f"; did you mean {near[0]}?" if near else f"; the options are {', '.join(known)}"
            self.error(f"{unknown[0]}: no such option{advice}")
        return found

    def _all(self) -> list[argparse.ArgumentParser]:
        """The parser itself and the parsers of its commands."""
        commands = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return [self, *(parser for choices in commands for parser in choices.values())]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each param except the dataset; the DAG's defaults apply."""
    for name, param in PARAMS.items():
        if name == "dataset":
            continue
        option: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS}
        option["help"] = param.description.replace("%", "%%")
        if "enum" in param.schema:
            option["metavar"] = f"{{{','.join(param.schema['enum'])}}}"
        if "boolean" in param.types:
            option["action"] = argparse.BooleanOptionalAction
        elif "array" in param.types:
            option |= {"action": "append", "metavar": "GLOB"}
        else:
            option["type"] = {"integer": int, "number": float}.get(param.types[-1], str)
        parser.add_argument(f"--{name.replace('_', '-')}", **option)
    parser.add_argument("--date", type=_date, help="the run's date, which fills in %%Y, %%m, %%d; a series needs one")


def conf(dataset: str, options: dict[str, Any]) -> dict[str, Any]:
    """Params of a run from the dataset and the given options.

    The path of each dataset, one a line, becomes absolute, because Airflow works in another folder.

    Raises
    ------
    OptionError
        with the param and what is wrong with it, such as a dataset's path that does not exist

    >>> conf("s3://photos", {"partition_size": 100})
    {'partition_size': 100, 'dataset': 's3://photos'}
    """
    dataset = "\n".join(one if one in BUILT_IN or "://" in one else _dataset_path(one) for one in _lines(dataset))
    chosen = {name: value for name, value in options.items() if name in PARAMS} | {"dataset": dataset}
    for name, value in chosen.items():
        for problem in Draft202012Validator(PARAMS[name].schema).iter_errors(value):
            raise OptionError(f"--{name.replace('_', '-')}: {_explanation(PARAMS[name], problem)}")
    if chosen.get("series") and not options.get("date"):
        raise OptionError("--series: needs --date, the run's date in the series")
    return chosen


def _lines(dataset: str) -> list[str]:
    """The datasets, one a line; a path that exists may have line breaks in it."""
    if "\n" not in dataset or os.path.lexists(dataset):
        return [dataset]
    return [line.removesuffix("\r") for line in dataset.split("\n") if line.strip()] or [dataset]


def _explanation(param: Param, problem: Any) -> str:
    """What is wrong with a value. Instead of a pattern it has the param's description."""
    return f"invalid value. {param.description}" if problem.validator == "pattern" else str(problem.message)


def _dataset_path(dataset: str) -> str:
    try:
        path = Path(dataset).expanduser().absolute()
    except RuntimeError as unknown:
        raise OptionError(f"--dataset: {dataset}: {unknown}") from None
    if not path.exists() and not ("%" in dataset or "{" in dataset or glob.has_magic(dataset)):
        raise OptionError(f"--dataset: no such file or folder: {path}")
    if not path.exists() and not _fixed_folder(path).is_dir():
        raise OptionError(f"--dataset: no such folder: {_fixed_folder(path)}, for {path}")
    return str(path)


def _fixed_folder(path: Path) -> Path:
    """The folder above the first part with a pattern or a date's fields."""
    for parent in reversed(path.parents):
        if "%" in parent.name or "{" in parent.name or glob.has_magic(parent.name):
            return parent.parent
    return path.parent


def _date(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
