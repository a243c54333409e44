"""A model card: the TOML file that describes an embedder; pure.

docs/models.md describes the keys for users. Every mistake is a `SettingsError` that names the card
and the key, and says what to write.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from meanface.embedder.models.alignment import TEMPLATES
from meanface.errors import SettingsError
from meanface.stats.chip_sum import LARGEST_SIDE
from meanface.stats.exact_sum import MOST_DIMENSIONS

Sha256 = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="the SHA-256 of the file, 64 hexadecimal digits in small letters")
]
File = Annotated[
    str, Field(min_length=1, description="the network's ONNX file: a path relative to the card, or an address")
]
Side = Annotated[int, Field(ge=16, le=LARGEST_SIDE)]
DetectorSide = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
Colour = float | tuple[float, float, float]
Point = tuple[float, float]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetworkFile(_Section):
    """The network that computes embeddings."""

    file: File
    sha256: Sha256


class InputFormat(_Section):
    """What the network expects of an aligned face."""

    width: Side = Field(description=f"pixels of an aligned face, from 16 to {LARGEST_SIDE}")
    height: Side = Field(description=f"pixels of an aligned face, from 16 to {LARGEST_SIDE}")
    layout: Literal["NCHW", "NHWC"] = Field(default="NCHW", description="NCHW, with colours first, or NHWC")
    colours: Literal["RGB", "BGR"] = Field(description="RGB or BGR, the order of the colours")
    mean: Colour = Field(
        description="what is subtracted from each value of 0 to 255: a number, or three in the order of `colours`"
    )
    scale: Colour = Field(description="what the difference is multiplied by: a number, or three")


class Alignment(_Section):
    """Where the five points of a face lie in the input."""

    template: Literal["arcface_112"] | tuple[Point, Point, Point, Point, Point] = Field(
        description='"arcface_112", or five points [x, y] in pixels of the input: the eye at the left of the picture, '
        "the other eye, the tip of the nose, the corner of the mouth at the left, the other corner"
    )
    fit: Literal["similarity", "affine"] = Field(
        default="similarity",
        description='"similarity", which fits all five points best, or "affine", which brings the eyes and the nose '
        "exactly to their places",
    )


class DlibDetector(_Section):
    """A detector of dlib, with its 68 landmarks."""

    kind: Literal["dlib_hog", "dlib_cnn"]


class NetworkDetector(_Section):
    """A network that finds faces and their five points."""

    kind: Literal["yunet", "scrfd"]
    file: File
    sha256: Sha256
    size: Literal["photo"] | tuple[DetectorSide, DetectorSide] = Field(
        description='"photo", for a network that takes photos as they are, or [width, height] in multiples of 32, to '
        "which photos are scaled"
    )
    score_threshold: float = Field(gt=0, lt=1, description="the lowest score of a face, between 0 and 1")
    nms_threshold: float = Field(
        gt=0, lt=1, description="the largest overlap of two faces, between 0 and 1: intersection by union"
    )


class ModelCard(_Section):
    """An embedder as data."""

    name: str = Field(min_length=1, max_length=100, description="the model's name, for people")
    licence: str = Field(min_length=1, max_length=1000, description="the model's licence, such as Apache-2.0")
    dimension: int = Field(
        ge=1, le=MOST_DIMENSIONS, description=f"numbers of an embedding, from 1 to {MOST_DIMENSIONS:,}"
    )
    normalized: bool = Field(description="true to divide each embedding by its length, false to keep it")
    network: NetworkFile = Field(description="a section with file and sha256")
    input: InputFormat = Field(description="a section with width, height, colours, mean and scale")
    alignment: Alignment = Field(description="a section with template")
    detector: Annotated[DlibDetector | NetworkDetector, Field(discriminator="kind")] = Field(
        description='a section with kind = "dlib_hog", "dlib_cnn", "yunet" or "scrfd"'
    )

    @field_validator("name", "licence")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("it has a line break or another control character")
        return text

    @model_validator(mode="after")
    def _template_fits(self) -> ModelCard:
        size = (self.input.width, self.input.height)
        if self.alignment.template == "arcface_112" and size != (112, 112):
            raise ValueError(
                f"alignment.template=arcface_112 is for an input of 112 x 112 pixels, not {size[0]} x {size[1]}: give "
                "the five points of this input"
            )
        return self

    @property
    def points(self) -> tuple[Point, ...]:
        """The five points of an aligned face."""
        template = self.alignment.template
        return TEMPLATES[template] if isinstance(template, str) else template

    @property
    def digest(self) -> str:
        """SHA-256 of the content: the digests of files, and neither their names nor the name of the model."""
        aside: Any = {"name": True, "licence": True, "network": {"file"}, "detector": {"file"}, "alignment": True}
        content = self.model_dump(mode="json", exclude=aside) | {"points": self.points}
        if self.alignment.fit != Alignment.model_fields["fit"].default:  # so cards without the key keep their digest
            content["fit"] = self.alignment.fit
        for key in ("mean", "scale"):
            content["input"][key] = list(colours(content["input"][key]))
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def colours(value: float | tuple[float, float, float]) -> tuple[float, float, float]:
    """One value for each colour.

    >>> colours(127.5)
    (127.5, 127.5, 127.5)
    """
    return (float(value),) * 3 if isinstance(value, int | float) else (value[0], value[1], value[2])


def parse(data: bytes, address: str) -> ModelCard:
    """Parse a card; `SettingsError`, which names its address, for any mistake in it."""
    try:
        content = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as broken:
        raise SettingsError(f"model card {address} is not TOML: {broken}") from None
    try:
        return ModelCard.model_validate(content)
    except ValidationError as invalid:
        raise SettingsError(f"model card {address}: {'; '.join(map(_sentence, invalid.errors()))}") from None


_DLIB, _NETWORKS = ("dlib_hog", "dlib_cnn"), ("yunet", "scrfd")


def _sentence(error: Any) -> str:
    """What is wrong with a key, and what to write."""
    section: type[BaseModel] = ModelCard
    keys: list[str] = []
    expected = ""
    for part in error["loc"]:
        if keys == ["detector"] and part in (*_DLIB, *_NETWORKS):
            section = DlibDetector if part in _DLIB else NetworkDetector
        elif isinstance(part, str) and part in section.model_fields:
            keys.append(part)
            field = section.model_fields[part]
            expected = field.description or expected
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                section = field.annotation
        elif isinstance(part, str) and error["type"] == "extra_forbidden":
            keys.append(part)
    key = ".".join(keys)
    match error["type"]:
        case "missing":
            return f"{key} is missing: write {expected}"
        case "union_tag_not_found":
            return f"detector.kind is missing: write {expected}"
        case "extra_forbidden":
            return f"{key} is not a key of a card; the keys there are {', '.join(section.model_fields)}"
        case "value_error" if not key:
            return str(error["ctx"]["error"])
        case "value_error":
            return f"{key}: {error['ctx']['error']}"
        case _:
            return f"{key}={error['input']!r} is refused ({error['msg']}): write {expected}"
