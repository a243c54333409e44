"""The commands; they read arguments, print results and turn errors into exit codes.

Exit codes: 0 done; 2 wrong usage or configuration; 3 data refused; 4 infrastructure, retry later;
130 stopped by Ctrl-C; 143 stopped by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from meanface.cli import environment, model
from meanface.cli.environment import absolute, opened_run
from meanface.cli.options import (
    DATASET_HELP,
    DRY_RUN_HELP,
    MATCHES_HELP,
    OUTPUT_HELP,
    PHOTOS_HELP,
    SERIES_HELP,
    TARGET_HELP,
    THRESHOLD_HELP,
    AsJson,
    Quiet,
    RunName,
    Version,
    WorkerCount,
    takes_settings,
)
from meanface.cli.unneeded import forbid
from meanface.errors import MeanfaceError, SettingsError
from meanface.settings import IDENTIFIED, Settings
from meanface.text import escaped

if TYPE_CHECKING:
    from meanface.results.result import ResultRecord

app = typer.Typer(
    name="meanface",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing Rich takes longer than printing help
)
app.add_typer(model.app, name="model")


@app.callback()
def prepare(*, version: Version = False) -> None:  # noqa: ARG001 - `--version` prints and exits before
    """The mean face embedding of a photo collection, exact to the last bit."""
    from meanface.cli import logging

    # NumPy reads it when imported, later. More threads would spin on cores for the workers.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logging.configure()


@app.command()
@takes_settings(typer.Option("--dataset", help=DATASET_HELP), also_as=typer.Argument(metavar="DATASET..."))
def plan(
    settings: Settings,
    *,
    date: datetime | None,
    run: RunName | None = None,
    series: Annotated[str | None, typer.Option("--series", help=SERIES_HELP)] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help=DRY_RUN_HELP)] = False,
    workers: WorkerCount = None,
) -> None:
    """List the dataset's photos and cut them into partitions."""
    if dry:
        _print_account(settings, workers)
        return
    if run is None:
        raise SettingsError("the plan has no name: give one with --run, or list the photos only, with --dry-run")
    from meanface import pipeline
    from meanface.pipeline.series import in_series

    interval = in_series(series, date) if series is not None else None
    pipeline.plan(opened_run(run), settings, interval)


@app.command()
def embed(
    run: RunName,
    partition: Annotated[int, typer.Option(min=0, help="Index of the partition in the manifest.")],
    workers: WorkerCount = None,
    attempt: Annotated[int, typer.Option(min=0, help="Number of the attempt; for display.")] = 0,
) -> None:
    """Embed one partition's photos and commit their moments."""
    from meanface import pipeline
    from meanface.cli.display import Display
    from meanface.system import available_cpus
    from meanface.workers.pool import Workers

    opened = opened_run(run)
    settings = opened.manifest().settings
    count = workers or available_cpus()
    with (
        Display() as display,
        Workers(count, settings, opened.cache, opened.kernels, opened.network_policy) as processes,
    ):
        pipeline.embed(opened, partition, processes, attempt=attempt, listener=display.show)


@app.command()
def reduce(run: RunName) -> None:
    """Merge all partitions' moments and write the result."""
    from meanface import pipeline

    _print_result(pipeline.reduce(opened_run(run)))


@app.command("run")
@takes_settings(typer.Argument(metavar="DATASET...", help=DATASET_HELP))
def run_command(
    settings: Settings,
    *,
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    workers: WorkerCount = None,
    quiet: Quiet = False,
) -> None:
    """Plan, embed and reduce in one process, without Airflow and Redis."""
    from meanface.system import available_cpus
    from meanface.workers.process import first_worker

    count, cache, kernels = workers or available_cpus(), environment.cache(), environment.kernels()
    with first_worker(settings, count, cache, kernels) as first:
        # Imported while that worker loads its models.
        from meanface.cli.display import Display
        from meanface.cli.output_folder import default_output
        from meanface.pipeline.local import run_locally
        from meanface.storage.files import Storage

        storage = Storage(absolute(output or default_output(settings.dataset)))
        try:
            with Display(quiet=quiet) as display:
                result = run_locally(
                    settings,
                    storage,
                    workers=count,
                    cache=cache,
                    kernels=kernels,
                    network_policy=environment.network_policy("dataset"),
                    first=first,
                    planned=display.expect,
                    listener=display.show,
                )
        except KeyboardInterrupt:
            typer.echo("meanface: stopped. Nothing is lost: the same command continues this run", err=True)
            raise typer.Exit(130) from None
    _print_result(result)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A result: its folder, its result.json, or its address.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another result.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Compare two results and test whether their means differ significantly."""
    from meanface.cli import tables
    from meanface.results.compare import compare as compared
    from meanface.results.reader import Result

    network_policy = environment.network_policy("dataset")
    found = compared(*(Result.at(absolute(address), network_policy) for address in (a, b)))
    typer.echo(found.to_json() if as_json else tables.comparison(found))


@app.command()
@takes_settings(typer.Argument(metavar="PHOTOS...", help=PHOTOS_HELP), only=IDENTIFIED)
def identify(  # noqa: PLR0913 - options of the command
    result: Annotated[str, typer.Argument(metavar="RESULT", help="Its folder, its result.json, or its address.")],
    settings: Settings,
    *,
    threshold: Annotated[float | None, typer.Option(min=0, help=THRESHOLD_HELP)] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help=MATCHES_HELP)] = None,
    workers: WorkerCount = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Find the nearest labels of a result for every face of a dataset."""
    from meanface.cli.display import Display
    from meanface.cli.identified_lines import identified_lines
    from meanface.pipeline.identify import identify as identified
    from meanface.results.reader import Result
    from meanface.system import available_cpus

    network_policy = environment.network_policy("dataset")
    opened = Result.at(absolute(result), network_policy)
    try:
        with Display(quiet=quiet) as display:
            found = identified(
                opened,
                settings,
                absolute(output) if output else None,
                threshold=threshold,
                workers=workers or available_cpus(),
                cache=environment.cache(),
                kernels=environment.kernels(),
                network_policy=network_policy,
                planned=display.expect,
                listener=display.show,
            )
    except KeyboardInterrupt:
        kept = "Nothing is lost: the same command continues" if output else "With --output, the same command continues"
        typer.echo(f"meanface: stopped. {kept}", err=True)
        raise typer.Exit(130) from None
    typer.echo(found.to_json() if as_json else "\n".join(identified_lines(found)))


@app.command()
def export(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="Its folder, its result.json, or its address.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help=TARGET_HELP)],
    *,
    schema: Annotated[str | None, typer.Option("--schema", help="Schema of the database's tables [meanface].")] = None,
) -> None:
    """Write the faces and templates of a result for other programs: NumPy, Parquet, FAISS, PostgreSQL."""
    from meanface.results.export import export as exported
    from meanface.results.reader import Result

    saved = Result.at(absolute(result), environment.network_policy("dataset"))
    for table in exported(saved, absolute(target), schema=schema):
        typer.echo(str(table))


@app.command()
def metrics(
    *,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 9464,
) -> None:
    """Serve metrics of all runs in Redis to Prometheus, at /metrics."""
    from meanface.extras import optional

    for module in ("prometheus_client", "redis"):
        optional(module, "meanface metrics", "metrics")
    from meanface.metrics.server import serve

    server = serve(environment.redis_url(), address, port, environment.metrics_token())
    typer.echo(f"metrics at http://{address}:{server.server_port}/metrics", err=True)
    server.serve_forever()


@app.command()
def version() -> None:
    """Print the versions of every component that affects results."""
    from meanface.embedder.detector import detector_name
    from meanface.results.result import versions

    for name, number in versions(detector_name(environment.kernels())).items():
        typer.echo(f"{name} {number}")


def main() -> None:
    """Run a command, and exit with its code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    forbid("pandas")  # PyArrow imports it with the first array, if it is installed
    try:
        app()
    except KeyboardInterrupt:  # Typer lets it pass while it prepares the command
        sys.exit(130)
    except MeanfaceError as error:
        typer.echo(f"meanface: {type(error).__name__}: {escaped(str(error))}", err=True)
        sys.exit(error.exit_code)


def _print_result(result: ResultRecord) -> None:
    from meanface.cli.result_lines import result_lines

    for line in result_lines(result):
        typer.echo(line)


def _print_account(settings: Settings, workers: int | None) -> None:
    from meanface.cli.account_lines import account_lines
    from meanface.pipeline.dry_run import dry_run
    from meanface.system import available_cpus

    policy, count = environment.network_policy("dataset"), workers or available_cpus()
    for line in account_lines(dry_run(settings, policy, workers=count, kernels=environment.kernels())):
        typer.echo(line)
