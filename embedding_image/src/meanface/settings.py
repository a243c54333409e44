"""The settings of a run: one frozen, validated object for all stages."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from meanface.errors import SettingsError
from meanface.photo_settings import DetectorName, EmbedderName, FacesPolicy, LandmarksName

__all__ = ["IDENTIFIED", "DetectorName", "EmbedderName", "FacesPolicy", "Labels", "LandmarksName", "Settings"]

LONGEST_COLUMN = 1000
"""characters of a column's name"""

IDENTIFIED = (
    *("dataset", "checksum", "include", "exclude", "sample", "limit", "follow_links"),
    *("url_column", "name_column"),
)
"""The settings that choose the photos of `meanface identify`; all others are those of the result."""


class Labels(StrEnum):
    """Where the label of a photo comes from."""

    NONE = "none"
    """no labels"""
    PARENT_FOLDER = "parent_folder"
    """the folder that holds the photo, as LFW names people"""
    TOP_FOLDER = "top_folder"
    """the first folder below the dataset"""
    COLUMN = "column"
    """a column of the list: `label_column`"""
    LEVEL = "level"
    """a folder of the photo's path: `label_level`"""
    PATTERN = "pattern"
    """a part of the photo's name: `label_pattern`"""


_IMPLIED = {"label_column": Labels.COLUMN, "label_level": Labels.LEVEL, "label_pattern": Labels.PATTERN}
"""the value of `labels` that another setting implies"""


class Settings(BaseModel):
    """Everything that determines a run's result, and the limits for its success."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(
        min_length=1,
        description="sample, lfw, or the address of photos: a folder, one photo, a glob of photos or of tar shards, an "
        "archive, a list (CSV, TSV, JSON Lines, text, Parquet), or a bucket prefix; of several datasets, one a line. "
        "%Y, %m, %d and the like are filled in from the run's date.",
    )
    checksum: str | None = Field(
        default=None,
        pattern=r"^(md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$",
        description="Checksum that the dataset's archive must have, as algorithm:hex (md5, sha1 or sha256).",
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="Take only photos whose name, or a folder above them, matches one of these patterns, such as "
        "'2026/*' or '*.jpg'. Names are relative to the dataset; * also matches /.",
    )
    exclude: tuple[str, ...] = Field(
        default=(),
        description="Leave out photos whose name, or a folder above them, matches one of these patterns.",
    )
    sample: int | None = Field(
        default=None,
        ge=1,
        description="Take at most this many photos, chosen by hashes of their names: the same ones each time.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Take at most this many photos, the first ones by name; of the sample, if there is one.",
    )
    follow_links: bool = Field(
        default=False,
        description="In a folder, enter linked folders and read linked photos, also where they lead out of the "
        "dataset. Each folder is read once.",
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
    upsample: int = Field(
        default=1,
        ge=0,
        le=3,
        description="How often a photo is doubled before faces are searched. 1 finds faces from about 40 pixels, 0 "
        "from 80, 2 from 20, 3 from 10. Each step takes about four times as long.",
    )
    landmarks: LandmarksName = Field(
        default=LandmarksName.SMALL,
        description="Points by which a face is aligned: small has 5, large has 68. Their embeddings differ.",
    )
    num_jitters: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Average the embeddings of this many slightly moved, turned and mirrored copies of each aligned "
        "face. 100 takes 100 times as long to embed; 1 embeds the face itself.",
    )
    labels: Labels = Field(default=Labels.NONE, description="Where a photo's label comes from, for means by label.")
    label_column: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_COLUMN,
        description="The list's column of labels. It implies labels=column, which without it uses the column label, "
        "person or the like.",
    )
    label_level: int | None = Field(
        default=None,
        validate_default=True,
        ge=-100,
        le=100,
        description="The folder of a photo's path that is its label, counted from the top (1, 2, ...) or from the "
        "photo (-1, -2, ...). It implies labels=level.",
    )
    label_pattern: str | None = Field(
        default=None,
        validate_default=True,
        min_length=1,
        max_length=LONGEST_COLUMN,
        description="A regular expression (RE2) that finds the label in a photo's name, in a group called label: "
        "(?P<label>[^/]*)_[0-9]+[.]jpg$. It implies labels=pattern.",
    )
    url_column: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_COLUMN,
        description="The list's column of URLs, paths or photos. By default it is found by its name: url, image_url, "
        "image, path, file_name and the like.",
    )
    name_column: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_COLUMN,
        description="The list's column of names of photos, all different. By default a photo's name is its URL, path "
        "or row.",
    )
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
        default=200_000_000,
        ge=1,
        description="Photos with more pixels are not decoded; their outcome is too_large. With upsample=2 each pixel "
        "counts four times, with 3 sixteen times.",
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

    @model_validator(mode="before")
    @classmethod
    def _sources_of_labels(cls, values: Any) -> Any:
        """A setting that says where labels are implies `labels`."""
        given = [name for name in _IMPLIED if isinstance(values, dict) and values.get(name) is not None]
        if given and values.get("labels", "none") == "none":
            return {**values, "labels": _IMPLIED[given[0]]}
        return values

    @field_validator(*_IMPLIED)
    @classmethod
    def _source_of_labels(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.field_name or ""
        labels = info.data.get("labels", Labels.NONE)
        if value is None and labels is _IMPLIED[name] and labels is not Labels.COLUMN:
            raise ValueError(f"labels={labels.value} needs it")
        if value is not None and labels is not _IMPLIED[name]:
            raise ValueError(f"labels={labels.value} is another source of labels: leave one of the two out")
        if value == 0:
            raise ValueError("levels count from 1 at the top, or from -1 at the photo")
        return value

    @field_validator("include", "exclude")
    @classmethod
    def _relative(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        if any(not pattern or pattern.startswith("/") for pattern in patterns):
            raise ValueError("patterns are for names relative to the dataset: they are not empty, and begin without /")
        return patterns

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
