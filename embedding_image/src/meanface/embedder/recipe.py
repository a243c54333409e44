"""The recipe: every component and setting that affects the results of a photo."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from meanface.embedder import dlib_models, network
from meanface.embedder.detector import cnn
from meanface.embedder.detector.dlib import UPSAMPLE, dlib_version
from meanface.photo_settings import DetectorName, EmbedderName
from meanface.settings import Settings

SCHEMA = 2
"""Part of every recipe. Raise it with any change of a photo's result (in `decode`, `photo_repair`,
`orientation`, `embedder`, `landmarks`, `detector`); otherwise runs reuse results of the last
release."""


OUTSIDE_RECIPE = {"dataset", "checksum", "partition_size", "max_failed_fraction", "face_pixels"}
"""Settings that affect no outcome and no embedding."""

OUTSIDE_BY_DEFAULT = {"detector"}
"""Settings that are part of a recipe only with another value than their default: they came after
the first release with this schema, whose recipes must stay."""


def recipe(settings: Settings) -> str:
    """SHA-256 over everything that affects a photo's result: embedder, models, settings, schema.

    The dataset's address, the partition size and the tolerated failures do not affect it. Nor does
    `face_pixels`: no outcome and no embedding depends on it, so runs with and without pixels have
    one fingerprint, fit into one series, and can be compared. A run that needs the chip sums of a
    ledger checks for them (`meanface.ledger.partition_ledger`).
    """
    defaults = {name for name in OUTSIDE_BY_DEFAULT if getattr(settings, name) == Settings.model_fields[name].default}
    record = {
        "schema": SCHEMA,
        "settings": settings.model_dump(mode="json", exclude=OUTSIDE_RECIPE | defaults),
        "identity": identity(settings.embedder, settings.detector),
    }
    return record_sha256(record)


def record_sha256(record: dict[str, Any]) -> str:
    """SHA-256 of a record as JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def identity(name: EmbedderName, detector: DetectorName = DetectorName.HOG) -> dict[str, str]:
    """Components of an embedder that affect its embeddings; part of a run's fingerprint."""
    own = name is EmbedderName.DLIB
    packages = [] if own else ["face_recognition", "numpy"]
    hog = {"detector": f"dlib HOG, upsampled {UPSAMPLE} time(s)"}
    return {
        "embedder": name.value,
        "network": dlib_models.NETWORK_SHA256,
        "network_code": network.implementation() if own else "dlib",
        **(hog if detector is DetectorName.HOG else cnn.identity(own=own)),
        "dlib": dlib_version(),
        **{package: version(package) for package in ["pillow", *packages]},
    }


@cache
def version(distribution: str) -> str:
    """Version of an installed distribution."""
    from importlib import metadata  # a worker starts without it

    return metadata.version(distribution)
