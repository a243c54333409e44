"""The trigger form: one param for each option of `meanface plan`, by the same name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Param as AirflowParam


class Param:
    """A param: its default, what it is for, and the JSON schema of its values.

    Not Airflow's own, whose import takes seconds: `make run` checks params before it starts Airflow.
    """

    def __init__(self, value: Any, *, description: str, **schema: Any) -> None:
        self.value = value
        self.description = description
        self.schema = schema

    @property
    def types(self) -> list[str]:
        """JSON's names of the types that it takes."""
        named = self.schema["type"]
        return list(named) if isinstance(named, list) else [named]


NO_CREDENTIALS = r"^(?![A-Za-z][A-Za-z0-9+.-]*:/+[^/?#]*@)"
"""no address with a user and a password: params are shown, logged, and part of each pod's command line"""

PARAMS = {
    "dataset": Param(
        "sample",
        type="string",
        minLength=1,
        pattern=NO_CREDENTIALS,
        title="Dataset",
        description="sample, lfw, or the address of photos: a folder, an archive, a glob of tar shards, a CSV or "
        "Parquet list of URLs, or a bucket prefix. %Y, %m, %d and the like are filled from the run's date. No user and "
        "password: whoever may see the DAG's runs sees its params.",
        examples=["sample", "lfw", "s3://photos/%Y/%m/%d/"],
    ),
    "checksum": Param(
        None,
        type=["null", "string"],
        pattern=r"^(md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$",
        title="Checksum",
        description="Checksum that the dataset's archive must have, as algorithm:hex (md5, sha1 or sha256).",
    ),
    "faces": Param(
        "first",
        type="string",
        enum=["first", "largest", "all", "single"],
        values_display={
            "first": "first found, as face_recognition does",
            "largest": "largest",
            "all": "all",
            "single": "only photos with one face",
        },
        title="Faces",
        description="Which faces of a photo count.",
    ),
    "min_face": Param(
        0,
        type="integer",
        minimum=0,
        title="Smallest face",
        description="Leave out faces whose box has a shorter side of fewer pixels than this; before faces are chosen.",
    ),
    "min_score": Param(
        0.0,
        type="number",
        minimum=0,
        maximum=100,
        title="Lowest score",
        description="Leave out faces with a lower detection score than this; before faces are chosen. The detector "
        "gives clear frontal faces more than 1, and none less than 0.",
    ),
    "labels": Param(
        "none",
        type="string",
        enum=["none", "parent_folder", "top_folder"],
        values_display={
            "none": "none",
            "parent_folder": "the photo's folder",
            "top_folder": "the first folder below the dataset",
        },
        title="Labels",
        description="What a photo's label is, for means by label.",
    ),
    "embedder": Param(
        "onnx",
        type="string",
        enum=["onnx", "face_recognition"],
        title="Embedder",
        description="Who computes embeddings: dlib's network in ONNX Runtime, or the face_recognition package, the "
        "slower reference.",
    ),
    "exif_orientation": Param(
        True,
        type="boolean",
        title="EXIF orientation",
        description="Turn photos upright by their EXIF orientation first; off reads them as face_recognition does.",
    ),
    "max_side": Param(
        None,
        type=["null", "integer"],
        minimum=64,
        title="Longer side",
        description="Scale photos down to this many pixels on the longer side first: faster, and other embeddings.",
    ),
    "face_pixels": Param(
        True,
        type="boolean",
        title="Face pixels",
        description="Keep the mean face's pixels, and thumbnails of a few faces, in the report; off for privacy.",
    ),
    "partition_size": Param(
        1000,
        type="integer",
        minimum=1,
        maximum=10_000_000,
        title="Partition size",
        description="Most photos of an embed task, which has half as many on average. Doubles while there would be "
        "more than 1,024 tasks.",
        section="Limits",
    ),
    "max_failed_fraction": Param(
        1.0,
        type="number",
        minimum=0,
        maximum=1,
        title="Largest fraction of failed photos",
        description="The run fails where more photos than this cannot be read; a photo without a face is no failure.",
        section="Limits",
    ),
    "max_pixels": Param(
        200_000_000,
        type="integer",
        minimum=1,
        title="Pixels of a photo",
        description="Photos with more pixels are too_large and not decoded.",
        section="Limits",
    ),
    "max_bytes": Param(
        200_000_000,
        type="integer",
        minimum=1,
        title="Bytes of a photo",
        description="Photos with more bytes are too_large and not read.",
        section="Limits",
    ),
    "mixed_instruction_sets": Param(
        False,
        type="boolean",
        title="Mixed instruction sets",
        description="Let nodes of different CPU generations work on one run. The mean is then exact for the embeddings "
        "that it got, and another run's may differ by about 1e-7.",
        section="Limits",
    ),
    "series": Param(
        None,
        type=["null", "string"],
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+~@-]{0,249}$",
        title="Series",
        description="Name of a series of runs, of which this one is the run's date: its photos count in the exact mean "
        "of the series, too. The run needs a logical date, one for each part of the series; a part is done again by "
        "clearing its run.",
        section="Series",
    ),
}


def for_airflow() -> dict[str, AirflowParam]:
    """The same as Airflow's own params."""
    from airflow.sdk import Param as AirflowParam

    return {
        name: AirflowParam(param.value, description=param.description, **param.schema) for name, param in PARAMS.items()
    }
