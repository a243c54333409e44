"""The recipe: every component and setting that affects the results of a photo."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder import dlib_models, network
from meanface.embedder.detector import cnn
from meanface.embedder.detector.dlib import UPSAMPLE, dlib_version
from meanface.embedder.models import session
from meanface.embedder.models.opening import card_of, dlib_detector
from meanface.embedder.requirements import check_installed, check_large_landmarks
from meanface.photo_settings import DetectorName, EmbedderName, is_card
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


def recipe(settings: Settings, network_policy: NetworkPolicy = PUBLIC) -> str:
    """SHA-256 over everything that affects a photo's result: embedder, models, settings, schema.

    The choice of photos, the partition size and the tolerated failures do not affect it: a photo has
    the same result in every choice, so runs reuse each other's. Nor does
    `face_pixels`: no outcome and no embedding depends on it, so runs with and without pixels have
    one fingerprint, fit into one series, and can be compared. A run that needs the chip sums of a
    ledger checks for them (`meanface.ledger.partition_ledger`). Nor does the address of a model card:
    its content does, which is read with this policy.

    `SettingsError` if a package that the settings need is not installed.
    """
    check_installed(settings)
    defaults = {name for name in ADDED if getattr(settings, name) == Settings.model_fields[name].default}
    address = {"embedder"} if is_card(settings.embedder) else set[str]()
    record = {
        "schema": SCHEMA,
        "settings": settings.model_dump(mode="json", exclude=OUTSIDE_RECIPE | defaults | address),
        "identity": identity_of(settings, network_policy),
    }
    return record_sha256(record)


def record_sha256(record: dict[str, Any]) -> str:
    """SHA-256 of a record as JSON with sorted keys, in hexadecimal."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def identity_of(settings: Settings, network_policy: NetworkPolicy = PUBLIC) -> dict[str, str]:
    """Components of the settings' embedder that affect its embeddings."""
    card = card_of(settings, network_policy)
    if card is None:
        return identity(EmbedderName(settings.embedder), settings.upsample, settings.detector)
    found = {"embedder": "model card", "card": card.digest}
    found |= {"onnxruntime": session.runtime_version(), "instructions": session.instruction_set()}
    detector = dlib_detector(card)
    if detector is not None:
        check_large_landmarks(f"the model card {card.name!r}")
    match detector:
        case DetectorName.HOG:
            found |= {"detector": f"dlib HOG, upsampled {settings.upsample} time(s)", "dlib": dlib_version()}
        case DetectorName.CNN:
            found |= {**cnn.identity(settings.upsample, own=True), "dlib": dlib_version()}
        case None:
            found["detector"] = card.detector.kind
    return found | {package: version(package) for package in ("pillow", "numpy")} | _heic()


def model_versions(settings: Settings, network_policy: NetworkPolicy = PUBLIC) -> dict[str, str]:
    """Name and digest of the model card, and what runs it; empty for the other embedders."""
    card = card_of(settings, network_policy)
    if card is None:
        return {}
    runs_on = {"onnxruntime": session.runtime_version(), "instructions": session.instruction_set()}
    return {"model": card.name, "card": card.digest, **runs_on}


def _heic() -> dict[str, str]:
    return {"heic": heic_decoder()} if heic_decoder() != HEIC_DECODER else {}


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
        **_heic(),
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
