"""The options of the commands, one for each setting among them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Annotated, Any

import typer

from meanface.settings import Settings

RunName = Annotated[str, typer.Option("--run", help="The run's name: letters, digits and ._:+~@-")]
WorkerCount = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; if not given, one per CPU.")]
Date = Annotated[
    datetime | None,
    typer.Option(
        "--date",
        parser=datetime.fromisoformat,
        metavar="ISO8601",
        help="Fills %Y, %m, %d, %H ... in the dataset's address.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs, not a table for people.")]

DATASET_HELP = Settings.model_fields["dataset"].description
SERIES_HELP = (
    "Name of a series of runs that this one is the --date of: its photos count in the mean of the series, too."
)


def takes_settings(dataset: typer.models.ParameterInfo) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each setting; the command itself gets them as one `Settings`.

    Parameters
    ----------
    dataset
        how the dataset is given: an argument or an option
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def call(**arguments: Any) -> None:
            from meanface.dataset import resolve

            values = {name: arguments.pop(name) for name in Settings.model_fields}
            date = arguments["date"] if dated else arguments.pop("date")
            values["dataset"] = resolve(values["dataset"], date)
            command(settings=Settings.of(**values), **arguments)

        taken = inspect.signature(command, eval_str=True).parameters
        dated = "date" in taken  # by the command itself, too
        own = [parameter for name, parameter in taken.items() if name not in ("settings", "date")]
        parameters = [*_setting_parameters(dataset), _parameter("date", Date, None), *own]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        return call

    return decorate


def _setting_parameters(dataset: typer.models.ParameterInfo) -> list[inspect.Parameter]:
    parameters = []
    for name, field in Settings.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        names = f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag
        info = dataset if name == "dataset" else typer.Option(names, help=field.description)
        default = inspect.Parameter.empty if field.is_required() else field.default
        parameters.append(_parameter(name, Annotated[field.annotation, info], default))
    return parameters


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
