"""A model as plain data, for worker processes: they start without Pydantic, and read no card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

Numbers = tuple[float, float, float]


@dataclass(frozen=True)
class NetworkData:
    """A network's file on this machine."""

    path: str
    sha256: str
    key: str
    """of the card, for messages"""


@dataclass(frozen=True)
class DetectorData:
    """A detector network."""

    kind: str
    network: NetworkData
    size: tuple[int, int] | None
    """width and height; None for the photo's own"""
    score_threshold: float
    nms_threshold: float


@dataclass(frozen=True)
class ModelData:
    """What a worker needs of a model card."""

    card: str
    """its address, for messages"""
    network: NetworkData
    width: int
    height: int
    colours_first: bool
    bgr: bool
    mean: Numbers
    scale: Numbers
    points: tuple[tuple[float, float], ...]
    affine: bool
    dimension: int
    normalized: bool
    detector: DetectorData | str
    """or the name of one of dlib's, hog or cnn"""

    def to_json(self) -> str:
        """JSON text; `from_json` reads it back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelData:
        """Read the data back."""
        values = json.loads(text)
        detector = values["detector"]
        if not isinstance(detector, str):
            size = detector["size"] and tuple(detector["size"])
            detector = DetectorData(**{**detector, "network": NetworkData(**detector["network"]), "size": size})
        return cls(
            **{
                **values,
                "network": NetworkData(**values["network"]),
                "mean": tuple(values["mean"]),
                "scale": tuple(values["scale"]),
                "points": tuple(map(tuple, values["points"])),
                "detector": detector,
            }
        )
