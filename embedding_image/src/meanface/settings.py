"""The settings of a run: one frozen, validated object for all stages."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meanface.errors import SettingsError
from meanface.photo_settings import EmbedderName, FacesPolicy

__all__ = ["EmbedderName", "FacesPolicy", "Labels", "Settings"]


class Labels(StrEnum):
    """Which folder of a photo is its label."""

    NONE = "none"
    """no labels"""
    PARENT_FOLDER = "parent_folder"
    """the folder that holds the photo, as LFW names people"""
    TOP_FOLDER = "top_folder"
    """the first folder below the dataset"""


class Settings(BaseModel):
    """Everything that determines a run's result, and the limits for its success."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(
        min_length=1,
        description="sample, lfw, or the address of photos: folder, archive, glob, list, bucket.",
    )
    checksum: str | None = Field(
        default=None,
        pattern=r"^(md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$",
        description="Checksum that the dataset's archive must have, as algorithm:hex.",
    )
    partition_size: int = Field(
        default=1000,
        ge=1,
        le=10_000_000,
        description="Most photos of a partition, which has half as many on average. Doubles while there would be "
        "more than 1,024 partitions.",
    )
    faces: FacesPolicy = Field(default=FacesPolicy.FIRST, description="Which faces of a photo count.")
    min_face: int = Field(
        default=0,
        ge=0,
        description="Leave out faces whose box has a shorter side of fewer pixels than this; before faces are chosen.",
    )
    min_score: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Leave out faces with a lower detection score than this (in hundredths); before faces are chosen.",
    )
    labels: Labels = Field(default=Labels.NONE, description="What a photo's label is, for means by label.")
    embedder: EmbedderName = Field(default=EmbedderName.ONNX, description="Who computes embeddings.")
    max_failed_fraction: float = Field(
        default=1.0, ge=0, le=1, description="Largest fraction of failed photos with which a run may succeed."
    )
    max_pixels: int = Field(default=200_000_000, ge=1, description="Photos with more pixels are too_large.")
    max_side: int | None = Field(
        default=None,
        ge=64,
        description="Scale photos down to this many pixels on the longer side first: faster, and other embeddings.",
    )
    max_bytes: int = Field(default=200_000_000, ge=1, description="Photos with more bytes are too_large.")
    exif_orientation: bool = Field(
        default=True,
        description="Turn photos upright by their EXIF orientation; off reads them as face_recognition does.",
    )
    mixed_instruction_sets: bool = Field(
        default=False,
        description="Let machines of different CPU generations work on one run: its mean is then exact for the "
        "embeddings that it got, and another run's may differ by about 1e-7.",
    )
    face_pixels: bool = Field(
        default=True,
        description="Keep the mean face's pixels, and thumbnails of a few faces, in the report; off for privacy.",
    )

    @classmethod
    def of(cls, **values: Any) -> Settings:
        """Validate settings; `SettingsError` names each invalid one, its value and the reason."""
        try:
            return cls(**values)
        except ValidationError as invalid:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}={e['input']!r}: {e['msg']}" for e in invalid.errors())
            raise SettingsError(f"settings refused: {wrong}") from None
