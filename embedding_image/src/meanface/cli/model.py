"""`meanface model`: verify dlib's models, and try a model card."""

from __future__ import annotations

from typing import Annotated

import typer

from meanface.cli import environment
from meanface.cli.environment import absolute

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def model(context: typer.Context) -> None:
    """Verify the SHA-256 of dlib's models and derive the detector's weights into the cache."""
    if context.invoked_subcommand is not None:
        return
    from meanface.embedder import detector, dlib_models
    from meanface.embedder.detector import cnn_file

    dlib_models.network_bytes()
    cnn_file.cnn_weights()
    detector.prepare(environment.kernels(), environment.cache())
    typer.echo(f"{dlib_models.network_path()}  sha256:{dlib_models.NETWORK_SHA256}")
    typer.echo(f"{dlib_models.cnn_detector_path()}  sha256:{cnn_file.CNN_SHA256}")


@app.command()
def check(
    card: Annotated[str, typer.Argument(metavar="CARD", help="A model card: the path or address of its .toml.")],
) -> None:
    """Try a model card on the built-in sample: faces, lengths of embeddings, time, and whether a batch matters."""
    from meanface.photo_settings import is_card
    from meanface.pipeline.model_trial import try_card
    from meanface.settings import Settings

    settings = Settings.of(dataset="sample", embedder=absolute(card) if is_card(card) else card)
    policy = environment.network_policy("dataset")
    for line in try_card(settings, environment.cache(), environment.kernels(), policy):
        typer.echo(line)
