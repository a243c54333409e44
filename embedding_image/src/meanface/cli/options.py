"""The options of the commands, including one for each setting."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Annotated, Any

import typer

import meanface
from meanface.errors import SettingsError
from meanface.settings import Settings

RunName = Annotated[str, typer.Option("--run", help="The run's name: letters, digits and ._:+~@-")]
WorkerCount = Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes; by default one per CPU.")]
Date = Annotated[
    datetime | None,
    typer.Option(
        "--date",
        parser=datetime.fromisoformat,
        metavar="ISO8601",
        help="Fills %Y, %m, %d, %H ... in the dataset's address.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors and the result.")]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"meanface {meanface.__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        is_eager=True,
        callback=_print_version,
        help="Print the version of meanface; the command version prints those of its components.",
    ),
]

DATASET_HELP = Settings.model_fields["dataset"].description
OUTPUT_HELP = (
    "Folder (or address) for result, ledger and report; it must be new, empty, or of the same run. By default a folder "
    "here that is named after the dataset: photos-mean."
)
DRY_RUN_HELP = (
    "Only print what a run would take: photos, kinds, labels, bytes, files that are passed over, and the time. Writes "
    "nothing, and needs no Redis and no --run."
)
TARGET_HELP = (
    "A file that ends in .npz, .parquet or .faiss, a folder (its name ends in /), or a database with pgvector: "
    "postgresql://..."
)
SERIES_HELP = "Series that this run adds its photos to, as the interval of --date; the series has a mean of its own."


def takes_settings(
    dataset: typer.models.ParameterInfo, also_as: typer.models.ParameterInfo | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option per setting, and pass them to it as one `Settings`.

    `dataset` is the argument or option for the dataset, `also_as` an argument in its place. An
    argument may be repeated; an option has one dataset a line.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def call(**arguments: Any) -> None:
            from meanface.dataset import resolve

            values = {name: arguments.pop(name) for name in Settings.model_fields}
            values["dataset"] = given_dataset(values["dataset"], arguments.pop("address", None))
            date = arguments["date"] if dated else arguments.pop("date")
            values["dataset"] = resolve(values["dataset"], date)
            command(settings=Settings.of(**values), **arguments)

        taken = inspect.signature(command, eval_str=True).parameters
        dated = "date" in taken  # whether the command itself takes it
        own = [parameter for name, parameter in taken.items() if name not in ("settings", "date")]
        settings = _setting_parameters(dataset)
        if also_as is not None:
            address = _parameter("address", Annotated[list[str] | None, also_as], None)
            settings = [address, _parameter("dataset", Annotated[str | None, dataset], None), *settings[1:]]
        parameters = [*settings, _parameter("date", Date, None), *own]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        return call

    return decorate


def given_dataset(dataset: str | list[str] | None, others: list[str] | None = None) -> str:
    """The setting `dataset`, one address a line, from an option or from arguments; `others` may take its place."""
    if (dataset is not None) == bool(others):
        raise SettingsError("give the dataset once: as DATASET or as --dataset ADDRESS")
    given = others or dataset or ""
    if isinstance(given, str):
        return given
    if len(given) > 1 and (broken := [one for one in given if "\n" in one]):
        raise SettingsError(f"dataset {broken[0]!r} has a line break, so it needs a run of its own")
    return "\n".join(given)


def _setting_parameters(dataset: typer.models.ParameterInfo) -> list[inspect.Parameter]:
    parameters = []
    for name, field in Settings.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        names = f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag
        info = dataset if name == "dataset" else typer.Option(names, help=field.description)
        default = inspect.Parameter.empty if field.is_required() else field.default
        annotation = field.annotation
        if name == "dataset" and isinstance(dataset, typer.models.ArgumentInfo):
            annotation = list[str]
        elif annotation == tuple[str, ...]:  # an option that may be repeated, for which Typer wants a list
            annotation, default, info.metavar = list[str], [], "GLOB"
        parameters.append(_parameter(name, Annotated[annotation, info], default))
    return parameters


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
