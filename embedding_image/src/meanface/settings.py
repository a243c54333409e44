"""The settings of a run: one frozen, validated object for all stages."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from meanface.errors import SettingsError
from meanface.photo_settings import DetectorName, EmbedderName, FacesPolicy

__all__ = ["DetectorName", "EmbedderName", "FacesPolicy", "Labels", "Settings"]


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
        description="sample, lfw, or the address of photos: a folder, an archive, a glob of tar shards, a CSV or "
        "Parquet list of URLs, or a bucket prefix. %Y, %m, %d and the like are filled in from the run's date.",
    )
    checksum: str | None = Field(
        default=None,
        pattern=r"^(md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$",
        description="Checksum that the dataset's archive must have, as algorithm:hex (md5, sha1 or sha256).",
    )
    partition_size: int = Field(
        default=1000,
        ge=1,
        le=10_000_000,
        description="Maximum number of photos in a partition, which is one embed task; the average is half of it. It "
        "is doubled if there would be more than 1,024 partitions.",
    )
    faces: FacesPolicy = Field(default=FacesPolicy.FIRST, description="Which faces of a photo count.")
    min_face: int = Field(
        default=0,
        ge=0,
        description="Leave out faces whose box is smaller than this many pixels on its shorter side, before any face "
        "is chosen.",
    )
    min_score: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="Leave out faces with a detection score below this, before any face is chosen. Clear frontal "
        "faces score above 1, and no face scores below 0; scores are rounded to hundredths.",
    )
    labels: Labels = Field(default=Labels.NONE, description="Where a photo's label comes from, for means by label.")
    embedder: EmbedderName = Field(
        default=EmbedderName.DLIB,
        description="The embedder: our faster code for dlib's models, or the face_recognition package, which is the "
        "slower reference.",
    )
    detector: DetectorName = Field(
        default=DetectorName.HOG,
        description="The detector: dlib's for frontal faces (hog), or its network (cnn), which also finds turned "
        "faces and takes about 20 times as long. Their scores cannot be compared.",
    )
    max_failed_fraction: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="The run fails if more than this fraction of its photos fail. A photo without a face is not a "
        "failed photo.",
    )
    max_pixels: int = Field(
        default=200_000_000, ge=1, description="Photos with more pixels are not decoded; their outcome is too_large."
    )
    max_side: int | None = Field(
        default=None,
        ge=64,
        description="Scale photos down to this many pixels on their longer side first. This is faster and changes "
        "the embeddings.",
    )
    max_bytes: int = Field(
        default=200_000_000, ge=1, description="Photos with more bytes are not read; their outcome is too_large."
    )
    exif_orientation: bool = Field(
        default=True,
        description="Turn photos upright by their EXIF orientation first. If off, photos are read as face_recognition "
        "reads them.",
    )
    face_pixels: bool = Field(
        default=True,
        description="Keep the mean face's pixels, and thumbnails of a few faces in the report and the ledger. "
        "Turn it off for privacy.",
    )

    @field_validator("embedder")
    @classmethod
    def _current_name(cls, name: EmbedderName) -> EmbedderName:
        return EmbedderName.DLIB if name is EmbedderName.ONNX else name

    @classmethod
    def of(cls, **values: Any) -> Settings:
        """Validate settings; `SettingsError` names each invalid one, its value and the reason."""
        try:
            return cls(**values)
        except ValidationError as invalid:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}={e['input']!r}: {e['msg']}" for e in invalid.errors())
            raise SettingsError(f"settings refused: {wrong}") from None
