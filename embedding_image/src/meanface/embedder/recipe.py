"""The recipe: every component and setting that affects the results of a photo."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from meanface.embedder import network
from meanface.embedder.detector import UPSAMPLE, dlib_version
from meanface.photo_settings import EmbedderName
from meanface.settings import Settings
from meanface.system import instruction_set

SCHEMA = 2
"""Part of every recipe. Any change of what a photo's bytes come to (`photo`, `repair`, `orientation`, `faces`,
`landmarks`, `detector`) needs another number than the last release has, or results of that release are taken over."""


OUTSIDE_RECIPE = {"dataset", "checksum", "partition_size", "max_failed_fraction", "face_pixels"}
"""Settings that affect no outcome and no embedding."""


def recipe(settings: Settings) -> str:
    """SHA-256 over all that decides what becomes of a photo: embedder, models, settings, schema.

    Neither the dataset's address nor the partition size decide it, nor how many failures may be tolerated. Nor does
    `face_pixels`: no outcome and no embedding depends on it, so that runs with and without pixels have one fingerprint,
    fit into one series, and can be compared. A run that wants the chip sums of a ledger looks whether they are there
    (`meanface.ledger.partition`).
    """
    who = identity(settings.embedder)
    if settings.mixed_instruction_sets:
        del who["instructions"]
    decisive = {
        "schema": SCHEMA,
        "settings": settings.model_dump(mode="json", exclude=OUTSIDE_RECIPE),
        "identity": who,
    }
    return _sha256(decisive)


def _sha256(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def identity(name: EmbedderName) -> dict[str, str]:
    """Everything about an embedder that decides its embeddings; part of a run's fingerprint."""
    packages = ["onnxruntime"] if name is EmbedderName.ONNX else ["face_recognition", "numpy"]
    return {
        "embedder": name.value,
        "network": network.MODEL_SHA256 if name is EmbedderName.ONNX else network.WEIGHTS_SHA256,
        "detector": f"dlib HOG, upsampled {UPSAMPLE} time(s)",
        "dlib": dlib_version(),
        **{package: version(package) for package in ["pillow", *packages]},
        "instructions": instruction_set(),
    }


def version(distribution: str) -> str:
    """Of an installed distribution."""
    from importlib import metadata  # a worker starts without it

    return metadata.version(distribution)
