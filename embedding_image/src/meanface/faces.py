"""Faces of a photo: detector, landmarks, aligned chip, network.

The reference is `face_recognition.face_encodings(photo)`: dlib's HOG detector with the photo upsampled once, 5-point
landmarks, a chip of 150 x 150 pixels, dlib's network, no jitter. `OnnxEmbedder` takes the same steps, with dlib's boxes
(`detector/`), landmarks and chip, and runs the same network in ONNX Runtime; its embeddings differ by less than 1e-6
per component. Both embed
one face at a time on one thread, so that an embedding depends on its chip alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from meanface import model
from meanface.chips import Chip
from meanface.detector import UPSAMPLE, DetectorChoice, dlib_version, open_detector
from meanface.machine import instruction_set
from meanface.photo import Pixels
from meanface.photosettings import EmbedderName, FacesPolicy

Embedding = NDArray[np.float32]
"""(128,)"""

CHIP_PADDING = 0.25


class Box(NamedTuple):
    """A face's rectangle in pixels, within the photo; the order is `face_recognition`'s."""

    top: int
    right: int
    bottom: int
    left: int

    @property
    def area(self) -> int:
        """Square pixels."""
        return (self.bottom - self.top) * (self.right - self.left)


@dataclass(frozen=True)
class Face:
    """One face that counts."""

    index: int
    """its place in the detector's order"""
    box: Box
    embedding: Embedding
    chip: Chip | None = None
    """the aligned face that the network saw; none where it was not kept"""


@dataclass(frozen=True)
class Faces:
    """What was found in a photo, and the faces of it that count."""

    found: int
    chosen: tuple[Face, ...]

    def without_chips(self) -> Faces:
        """The same faces, without a pixel of them."""
        return replace(self, chosen=tuple(replace(face, chip=None) for face in self.chosen))


class FaceEmbedder(Protocol):
    """Finds and embeds the faces of photos; not thread-safe."""

    def faces(self, photo: Pixels, policy: FacesPolicy) -> Faces:
        """The faces that count under a policy; only these are embedded."""
        ...


def choose(boxes: Sequence[Box], policy: FacesPolicy) -> list[int]:
    """Indices of the boxes that count.

    >>> boxes = [Box(0, 10, 10, 0), Box(0, 20, 20, 0)]
    >>> {policy.value: choose(boxes, policy) for policy in FacesPolicy}
    {'first': [0], 'largest': [1], 'all': [0, 1], 'single': []}
    """
    everyone = list(range(len(boxes)))
    match policy:
        case FacesPolicy.FIRST:
            return everyone[:1]
        case FacesPolicy.LARGEST:
            return sorted(everyone, key=lambda i: -boxes[i].area)[:1]
        case FacesPolicy.ALL:
            return everyone
        case FacesPolicy.SINGLE:
            return everyone if len(boxes) == 1 else []


class OnnxEmbedder:
    """Boxes, landmarks and chip as dlib's; dlib's network in ONNX Runtime.

    Parameters
    ----------
    cache
        folder of the converted network; see `meanface.model.cached`
    detector
        who finds the boxes; they are the same
    """

    def __init__(self, cache: str | None = None, detector: DetectorChoice = DetectorChoice.AUTO) -> None:
        import dlib
        import onnxruntime

        self._detector = open_detector(detector, cache)
        self._landmarks = dlib.shape_predictor(str(model.landmarks_path()))
        self._chip = dlib.get_face_chip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._network = onnxruntime.InferenceSession(model.cached(cache), options, providers=["CPUExecutionProvider"])

    def faces(self, photo: Pixels, policy: FacesPolicy) -> Faces:
        """The faces that count under a policy; only these are embedded."""
        found = self._detector.find(photo)
        boxes = [_within(photo, r.top(), r.right(), r.bottom(), r.left()) for r in found]
        chosen = choose(boxes, policy)
        return Faces(len(found), tuple(Face(i, boxes[i], *self._embed(photo, found[i])) for i in chosen))

    def _embed(self, photo: Pixels, rectangle: object) -> tuple[Embedding, Chip]:
        landmarks = self._landmarks(photo, rectangle)
        chip: Chip = self._chip(photo, landmarks, model.CHIP_SIZE, CHIP_PADDING)
        (embeddings,) = self._network.run(None, {"chips": chip[None]})
        return embeddings[0], chip


class ReferenceEmbedder:
    """The package `face_recognition` itself, through its own functions.

    `face_encodings(photo)` is `_raw_face_landmarks`, then `compute_face_descriptor` of each face; they are called one
    by one here, as chips are cut by the landmarks, which that function keeps to itself.
    """

    def __init__(self) -> None:
        import dlib

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)  # by the package's models
            from face_recognition import api

        self._package, self._chip = api, dlib.get_face_chip

    def faces(self, photo: Pixels, policy: FacesPolicy) -> Faces:
        """The faces that count under a policy; only these are embedded."""
        boxes = [Box(*location) for location in self._package.face_locations(photo, UPSAMPLE)]
        chosen = choose(boxes, policy)
        landmarks = self._package._raw_face_landmarks(photo, model="small") if chosen else []
        return Faces(len(boxes), tuple(Face(i, boxes[i], *self._embed(photo, landmarks[i])) for i in chosen))

    def _embed(self, photo: Pixels, landmarks: object) -> tuple[Embedding, Chip]:
        encoding = self._package.face_encoder.compute_face_descriptor(photo, landmarks, 1)
        chip: Chip = self._chip(photo, landmarks, model.CHIP_SIZE, CHIP_PADDING)
        return np.array(encoding).astype(np.float32), chip


def open_embedder(
    name: EmbedderName, cache: str | None = None, detector: DetectorChoice = DetectorChoice.AUTO
) -> FaceEmbedder:
    """The embedder of that name, its models loaded; the reference has its own detector."""
    return OnnxEmbedder(cache, detector) if name is EmbedderName.ONNX else ReferenceEmbedder()


def identity(name: EmbedderName) -> dict[str, str]:
    """Everything about an embedder that decides its embeddings; part of a run's fingerprint."""
    packages = ["onnxruntime"] if name is EmbedderName.ONNX else ["face_recognition", "numpy"]
    return {
        "embedder": name.value,
        "network": model.MODEL_SHA256 if name is EmbedderName.ONNX else model.WEIGHTS_SHA256,
        "detector": f"dlib HOG, upsampled {UPSAMPLE} time(s)",
        "dlib": dlib_version(),
        **{package: version(package) for package in ["pillow", *packages]},
        "instructions": instruction_set(),
    }


def version(distribution: str) -> str:
    """Of an installed distribution."""
    from importlib import metadata  # a worker starts without it

    return metadata.version(distribution)


def _within(photo: Pixels, top: int, right: int, bottom: int, left: int) -> Box:
    """The rectangle, cut where it leaves the photo."""
    rows, columns = photo.shape[:2]
    return Box(max(top, 0), min(right, columns), min(bottom, rows), max(left, 0))
