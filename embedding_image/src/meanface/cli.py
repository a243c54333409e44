"""The command line: reads arguments and environment, prints for people, and turns errors into exit codes.

Environment: `MEANFACE_REDIS_URL`, `MEANFACE_REDIS_PATIENCE` (seconds that Redis may stay away), `MEANFACE_STORAGE`
(folder or address of the runs' files), `MEANFACE_CACHE` (folder of the converted network), `MEANFACE_DETECTOR` (who
finds faces: `auto`, `native`, `avx512`, `avx2`, `dlib`), `MEANFACE_PRIVATE_ADDRESSES` (what datasets may reach besides
public addresses, see `meanface.reach`; `refuse`, but for `meanface run`, where a person types the address, `dataset`).

Exit codes: 0 done; 2 wrong usage or configuration; 3 data refused; 4 infrastructure, worth another try; 143 stopped by
SIGTERM.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meanface.errors import MeanfaceError, SettingsError
from meanface.reach import VARIABLE as PRIVATE_ADDRESSES
from meanface.reach import Reach
from meanface.settings import Settings

if TYPE_CHECKING:
    from meanface.detector import DetectorChoice
    from meanface.result import Result
    from meanface.run import Run

app = typer.Typer(
    name="meanface",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes longer to import than help takes to print
)

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


_DATASET_HELP = Settings.model_fields["dataset"].description
_SERIES_HELP = (
    "Name of a series of runs that this one is the --date of: its photos count in the mean of the series, too."
)


@app.callback()
def prepare() -> None:
    """The mean face embedding of a photo collection, exact to the last bit."""
    from meanface import logs

    logs.configure()


@app.command()
@takes_settings(typer.Option("--dataset", help=_DATASET_HELP))
def plan(
    settings: Settings,
    *,
    date: datetime | None,
    run: RunName,
    series: Annotated[str | None, typer.Option("--series", help=_SERIES_HELP)] = None,
) -> None:
    """List the dataset's photos and cut them into partitions."""
    from meanface import stages
    from meanface.series import in_series

    interval = in_series(series, date) if series is not None else None
    stages.plan(_run(run), settings, interval)


@app.command()
def embed(
    run: RunName,
    partition: Annotated[int, typer.Option(min=0, help="Index of the partition in the manifest.")],
    workers: WorkerCount = None,
    attempt: Annotated[int, typer.Option(min=0, help="Which try this is; shown to people.")] = 0,
) -> None:
    """Embed one partition's photos and commit their moments."""
    from meanface import stages
    from meanface.display import Display
    from meanface.workers import Workers, available_cpus

    opened = _run(run)
    settings = opened.manifest().settings
    count = workers or available_cpus()
    with Display() as display, Workers(count, settings, opened.cache, opened.detector) as processes:
        stages.embed(opened, partition, processes, attempt=attempt, listener=display.show)


@app.command()
def reduce(run: RunName) -> None:
    """Merge all partitions' moments and write the result."""
    from meanface import stages

    _print_result(stages.reduce(_run(run)))


@app.command("run")
@takes_settings(typer.Argument(metavar="DATASET", help=_DATASET_HELP))
def run_command(
    settings: Settings,
    *,
    output: Annotated[str, typer.Option("--output", help="Folder (or address) for result, ledger and report.")],
    workers: WorkerCount = None,
) -> None:
    """Plan, embed and reduce in one process, without Airflow and Redis."""
    from meanface.display import Display
    from meanface.local import run_locally
    from meanface.storage import Storage
    from meanface.workers import available_cpus

    storage = Storage(_absolute(output))
    with Display() as display:
        result = run_locally(
            settings,
            storage,
            workers=workers or available_cpus(),
            cache=os.environ.get("MEANFACE_CACHE"),
            detector=_detector(),
            reach=_reach("dataset"),
            planned=display.expect,
            listener=display.show,
        )
    _print_result(result)


AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs, not a table for people.")]


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A result: its folder, its result.json, or its address.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say how two results differ, and whether their means do beyond noise."""
    from meanface import terminal
    from meanface.compare import compare as compared
    from meanface.saved import SavedResult

    found = compared(*(SavedResult.at(_absolute(address)) for address in (a, b)))
    typer.echo(found.to_json() if as_json else terminal.comparison(found))


@app.command()
def nearest(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="Its folder, its result.json, or its address.")],
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="A file, or the address of one.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say where a photo lies with respect to a result."""
    from meanface import terminal
    from meanface.nearest import in_worker
    from meanface.nearest import nearest as placed
    from meanface.saved import SavedResult

    embed = in_worker(os.environ.get("MEANFACE_CACHE"))
    found = placed(SavedResult.at(_absolute(result)), _absolute(photo), embed)
    typer.echo(found.to_json() if as_json else terminal.placement(found))


@app.command()
def model() -> None:
    """Convert dlib's network weights to ONNX, and derive the detector's, once; check the SHA-256 of all."""
    from meanface import detector
    from meanface import model as network

    cache = os.environ.get("MEANFACE_CACHE")
    path = network.cached(cache)
    detector.prepare(_detector(), cache)
    typer.echo(f"{path}  sha256:{network.MODEL_SHA256}  from dlib's weights sha256:{network.WEIGHTS_SHA256}")


@app.command()
def version() -> None:
    """Print versions of everything that has a say in the numbers."""
    from meanface.detector import detector_name
    from meanface.result import versions

    for name, number in versions(detector_name(_detector())).items():
        typer.echo(f"{name} {number}")


def main() -> None:
    """Run a command; the process's exit code tells callers what to do next."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except MeanfaceError as error:
        typer.echo(f"meanface: {type(error).__name__}: {error}", err=True)
        sys.exit(error.exit_code)


def _run(name: str) -> Run:
    """The run of that name, with the store and storage that the environment names."""
    from meanface.run import Run, checked_name, files_of
    from meanface.storage import Storage
    from meanface.store import RedisStore

    def required(variable: str, example: str) -> str:
        value = os.environ.get(variable)
        if not value:
            raise SettingsError(f"the environment has no {variable}; set it, for example to {example}")
        return value

    checked_name(name)
    redis = required("MEANFACE_REDIS_URL", "redis://localhost:6379/0")
    shared = Storage(_absolute(required("MEANFACE_STORAGE", "/var/lib/meanface or s3://bucket/meanface")))
    try:
        patience = float(os.environ.get("MEANFACE_REDIS_PATIENCE", "300"))
    except ValueError as wrong:
        raise SettingsError(f"MEANFACE_REDIS_PATIENCE is a number of seconds: {wrong}") from None
    store = RedisStore.connect(redis, name, patience=patience)
    cache = os.environ.get("MEANFACE_CACHE")
    return Run(name, store, files_of(shared, name), cache, shared, _detector(), _reach("refuse"))


def _detector() -> DetectorChoice:
    from meanface.detector import DetectorChoice

    return DetectorChoice.of(os.environ.get("MEANFACE_DETECTOR"))


def _reach(default: str) -> Reach:
    return Reach.of(os.environ.get(PRIVATE_ADDRESSES) or default)


def _absolute(address: str) -> str:
    return address if "://" in address else str(Path(address).absolute())


def _print_result(result: Result) -> None:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in result.outcomes.items() if count)
    first = ", ".join(f"{component:+.6f}" for component in result.mean[:4])
    typer.echo(f"photos  {result.photos:,} ({outcomes})")
    typer.echo(f"faces   {result.faces:,} in {result.photos_with_face:,} photos")
    typer.echo(f"mean    [{first}, ...]")
    if result.series:
        series = result.series
        typer.echo(
            f"series  {series.name}: {series.faces:,} faces in {series.intervals:,} intervals, {series.location}"
        )
    typer.echo(f"files   {result.location}")


if __name__ == "__main__":
    main()
