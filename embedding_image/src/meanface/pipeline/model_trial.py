"""Try a model card on the sample, in a worker process as a run does, and in this one for what only a card has."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from meanface.dataset import SAMPLE
from meanface.dataset.network_policy import NetworkPolicy
from meanface.embedder.faces import Face
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.embedder import CardEmbedder
from meanface.embedder.models.opening import card_of, check_model, model_data
from meanface.embedder.models.session import instruction_set, runtime_version
from meanface.errors import DataError, SettingsError
from meanface.settings import FacesPolicy, Settings
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes

SAME = 0.0
"""difference of two outputs that are the same"""


def try_card(
    settings: Settings, cache: str | None, kernels: KernelChoice, network_policy: NetworkPolicy
) -> Iterator[str]:
    """Lines about the card: what it says, faces of each photo of the sample, time, and its outputs in a batch.

    Raises `SettingsError` for a mistake in the card, and `DataError` if a photo fails.
    """
    card, data = card_of(settings, network_policy), model_data(settings, cache, network_policy)
    if card is None or data is None:
        raise SettingsError(f"{settings.embedder} is a built-in embedder: name a model card, a .toml file")
    check_model(settings, cache, network_policy)
    yield f"{card.name}, {card.licence}; {card.dimension} numbers; detector {card.detector.kind}"
    yield f"card sha256:{card.digest}; ONNX Runtime {runtime_version()}; {instruction_set()}"
    photos = sorted(path for path in SAMPLE.rglob("*") if path.is_file())
    every = settings.model_copy(update={"faces": FacesPolicy.ALL})
    faces: list[Face] = []
    failed = ""
    with Workers(1, every, cache, kernels, network_policy) as workers:
        for number, path in enumerate(photos):
            started = time.monotonic()
            ((_, result),) = workers.results([[_photo(number, path)]])
            faces += result.faces
            if result.outcome.failed:
                failed = failed or f"{path.name} is {result.outcome.value}: {result.detail}"
            took = f"{1000 * (time.monotonic() - started):.0f} ms" if number else "with the start of the worker"
            lengths = ", ".join(f"{np.linalg.norm(face.embedding):.3f}" for face in result.faces)
            reason = f" ({result.detail})" if result.detail else ""
            count = len(result.faces)
            found = f"{count} {'face' if count == 1 else 'faces'}, length {lengths or '-'}"
            yield f"{path.name}: {result.outcome.value}{reason}, {found}, {took}"
    if failed:
        raise DataError(f"model card {settings.embedder}: {failed}; check the sections input and alignment")
    if not faces:
        yield "no face: the detector finds none in the sample; check detector.score_threshold and detector.size"
        return
    yield _batch(CardEmbedder(data, cache, kernels, settings.upsample), faces)


def _batch(embedder: CardEmbedder, faces: list[Face]) -> str:
    """Whether the network's output for a face depends on the faces beside it."""
    chips = [face.chip for face in faces if face.chip is not None]
    try:
        together = embedder.outputs(chips)
    except SettingsError:
        return "takes one face at a time, as meanface gives it"
    apart = np.concatenate([embedder.outputs([chip]) for chip in chips])
    difference = float(np.abs(together - apart).max())
    if difference == SAME:
        return f"same output for a face alone and in a batch of {len(chips)}; meanface embeds one at a time"
    return (
        f"the output of a face depends on its batch: by up to {difference:.2g} in a batch of {len(chips)}; meanface "
        "embeds one face at a time, so no embedding does"
    )


def _photo(number: int, path: Path) -> PhotoBytes:
    data = path.read_bytes()
    return PhotoBytes(number, path.name, data, hashlib.sha256(data).digest())
