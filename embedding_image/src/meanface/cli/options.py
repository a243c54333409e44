"""The options of the commands, including one for each setting."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import wraps
from typing import Annotated, Any

import typer

import meanface
from meanface.cli.environment import absolute
from meanface.errors import SettingsError
from meanface.photo_settings import is_card
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
PHOTOS_HELP = "One photo, or any dataset that meanface run reads."
MATCHES_HELP = (
    "Parquet file (or address) for a table of all faces. Beside it, a folder keeps the embeddings: with them, an "
    "interrupted command continues. By default nothing is kept."
)
THRESHOLD_HELP = (
    "Distance beyond which a face is unknown. By default the customary one of the embedder, 0.6 for dlib's models."
)
SERIES_HELP = "Series that this run adds its photos to, as the interval of --date; the series has a mean of its own."


def takes_settings(
    dataset: typer.models.ParameterInfo,
    also_as: typer.models.ParameterInfo | None = None,
    only: Collection[str] = tuple(Settings.model_fields),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option per setting, and pass them to it as one `Settings`.

    `dataset` is the argument or option for the dataset, `also_as` an argument in its place. An
    argument may be repeated; an option has one dataset a line. With `only`, the command takes some
    of the settings.
    """
    taken_settings = [name for name in Settings.model_fields if name in only]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def call(**arguments: Any) -> None:
            values = {name: arguments.pop(name) for name in taken_settings}
            values["dataset"] = given_dataset(values["dataset"], arguments.pop("address", None))
            date = arguments["date"] if dated else arguments.pop("date")
            values["dataset"] = _resolved(values["dataset"], date)
            if "embedder" in values and is_card(values["embedder"]):
                values["embedder"] = absolute(values["embedder"])
            command(settings=Settings.of(**values), **arguments)

        taken = inspect.signature(command, eval_str=True).parameters
        dated = "date" in taken  # whether the command itself takes it
        own = [parameter for name, parameter in taken.items() if name not in ("settings", "date")]
        settings = _setting_parameters(dataset, taken_settings)
        if also_as is not None:
            address = _parameter("address", Annotated[list[str] | None, also_as], None)
            settings = [address, _parameter("dataset", Annotated[str | None, dataset], None), *settings[1:]]
        first = [each for each in own if each.default is inspect.Parameter.empty]  # arguments before the dataset
        parameters = [*first, *settings, _parameter("date", Date, None), *(each for each in own if each not in first)]
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


def _resolved(dataset: str, date: datetime | None) -> str:
    """Fill in the date fields; without any, before all kinds of datasets are imported: workers can start meanwhile."""
    if "%" not in dataset and "\n" not in dataset:
        return dataset
    from meanface.dataset import resolve

    return resolve(dataset, date)


def _setting_parameters(dataset: typer.models.ParameterInfo, names: Iterable[str]) -> list[inspect.Parameter]:
    parameters = []
    for name in names:
        field = Settings.model_fields[name]
        flag = f"--{name.replace('_', '-')}"
        flags = f"{flag}/--no-{flag[2:]}" if field.annotation is bool else flag
        info = dataset if name == "dataset" else typer.Option(flags, help=field.description)
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
