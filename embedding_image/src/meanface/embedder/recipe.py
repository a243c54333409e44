"""The recipe: every component and setting that affects the results of a photo."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from meanface.embedder import dlib_models, network
from meanface.embedder.detector import cnn
from meanface.embedder.detector.dlib import UPSAMPLE, dlib_version
from meanface.embedder.requirements import check_installed
from meanface.photo_settings import DetectorName, EmbedderName
from meanface.settings import Settings

SCHEMA = 2
"""Part of every recipe. Raise it with any change of a photo's result (in `decode`, `photo_repair`,
`orientation`, `embedder`, `landmarks`, `detector`); otherwise runs reuse results of the last
release."""

HEIC_DECODER = "pi-heif 1.4.0"
"""The first decoder of HEIC photos. Recipes do not name it: those of runs from before it stay valid."""

CHOICE = {"dataset", "checksum", "include", "exclude", "sample", "limit", "follow_links"}
"""Settings that decide which photos there are."""
OUTSIDE_RECIPE = {
    *CHOICE,
    *("partition_size", "max_failed_fraction", "face_pixels"),
    *("label_column", "label_level", "label_pattern", "url_column", "name_column"),
}
"""Settings that affect no outcome and no embedding of a photo. Labels that these give are part of the photo's
reference."""

ADDED = {"detector", "upsample", "landmarks", "num_jitters"}
"""Settings that schema 2 did not have at first. They are in the recipe only if they differ from their
defaults, which are what was computed before: earlier results stay valid."""


def recipe(settings: Settings) -> str:
    """SHA-256 over everything that affects a photo's result: embedder, models, settings, schema.

    The choice of photos, the partition size and the tolerated failures do not affect it: a photo has
    the same result in every choice, so runs reuse each other's. Nor does
    `face_pixels`: no outcome and no embedding depends on it, so runs with and without pixels have
    one fingerprint, fit into one series, and can be compared. A run that needs the chip sums of a
    ledger checks for them (`meanface.ledger.partition_ledger`).

    `SettingsError` if a package that the settings need is not installed.
    """
    check_installed(settings)
    defaults = {name for name in ADDED if getattr(settings, name) == Settings.model_fields[name].default}
    record = {
        "schema": SCHEMA,
        "settings": settings.model_dump(mode="json", exclude=OUTSIDE_RECIPE | defaults),
        "identity": identity(settings.embedder, settings.upsample, settings.detector),
    }
    return record_sha256(record)


def record_sha256(record: dict[str, Any]) -> str:
    """SHA-256 of a record as JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def identity(name: EmbedderName, upsample: int = UPSAMPLE, detector: DetectorName = DetectorName.HOG) -> dict[str, str]:
    """Components of an embedder that affect its embeddings; part of a run's fingerprint."""
    own = name is EmbedderName.DLIB
    packages = [] if own else ["face_recognition", "numpy"]
    hog = {"detector": f"dlib HOG, upsampled {upsample} time(s)"}
    return {
        "embedder": name.value,
        "network": dlib_models.NETWORK_SHA256,
        "network_code": network.implementation() if own else "dlib",
        **(hog if detector is DetectorName.HOG else cnn.identity(upsample, own=own)),
        "dlib": dlib_version(),
        **{package: version(package) for package in ["pillow", *packages]},
        **({"heic": heic_decoder()} if heic_decoder() != HEIC_DECODER else {}),
    }


@cache
def heic_decoder() -> str:
    """Package and version that decode HEIC photos; `none` without native code (`embedder.heif`)."""
    try:
        from meanface.embedder import _native  # noqa: F401 - it is loaded, which may fail
    except ImportError:
        return "none"
    return f"pi-heif {version('pi-heif')}"


@cache
def version(distribution: str) -> str:
    """Version of an installed distribution."""
    from importlib import metadata  # a worker starts without it

    return metadata.version(distribution)
