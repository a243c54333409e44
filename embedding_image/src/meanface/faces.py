"""Faces of a photo: detector, landmarks, aligned chip, network.

The reference is `face_recognition.face_encodings(photo)`: dlib's HOG detector with the photo upsampled once, 5-point
landmarks, a chip of 150 x 150 pixels, dlib's network, no jitter. `OnnxEmbedder` takes the same steps, with dlib's boxes
(`detector/`), landmarks (`landmarks.py`) and chip, and runs the same network in ONNX Runtime; its embeddings differ by
less than 1e-6 per component. It runs on one thread, over a few chips at a time, each of which has the bits that it
has alone: an embedding depends on its chip alone.
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
from meanface.detector import UPSAMPLE, DetectorChoice, Rectangle, dlib_version, open_detector, rounded
from meanface.landmarks import open_landmarks
from meanface.machine import instruction_set
from meanface.moments import DIMENSIONS
from meanface.photo import Pixels
from meanface.photosettings import EmbedderName, FaceRules, FacesPolicy

Embedding = NDArray[np.float32]
"""(128,)"""

CHIP_PADDING = 0.25

CHIPS_AT_ONCE = 16
"""What the network gains by more chips, it has gained by then; it takes 3 MB for each."""


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

    @property
    def shorter_side(self) -> int:
        """Pixels."""
        return min(self.bottom - self.top, self.right - self.left)


@dataclass(frozen=True)
class Face:
    """One face that counts."""

    index: int
    """its place in the detector's order"""
    box: Box
    score: float
    """the detector's, see `meanface.detector.Found`"""
    embedding: Embedding
    chip: Chip | None = None
    """the aligned face that the network saw; none where it was not kept"""


@dataclass(frozen=True)
class AlignedFace:
    """One face that counts, cut out of its photo."""

    index: int
    """its place in the detector's order"""
    box: Box
    score: float
    chip: Chip


class LeftOut(NamedTuple):
    """How many of a photo's faces the settings leave out before the policy chooses."""

    min_face: int = 0
    min_score: int = 0
    """of those that are large enough"""


NONE_LEFT_OUT = LeftOut()


@dataclass(frozen=True)
class Detection:
    """What was found in a photo, and the faces of it that count, which the network has not seen yet."""

    found: int
    chosen: tuple[AlignedFace, ...]
    left_out: LeftOut = NONE_LEFT_OUT


@dataclass(frozen=True)
class Faces:
    """What was found in a photo, and the faces of it that count."""

    found: int
    chosen: tuple[Face, ...]
    left_out: LeftOut = NONE_LEFT_OUT

    def without_chips(self) -> Faces:
        """The same faces, without a pixel of them."""
        return replace(self, chosen=tuple(replace(face, chip=None) for face in self.chosen))


class FaceEmbedder(Protocol):
    """Finds and embeds the faces of photos; not thread-safe."""

    def detect(self, photo: Pixels, rules: FaceRules) -> Detection:
        """The faces that count; only these are cut out."""
        ...

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """(chips, 128): an embedding for each chip, whose bits depend on no other."""
        ...


def embed_faces(embedder: FaceEmbedder, detections: Sequence[Detection]) -> list[Faces]:
    """The faces of several photos, embedded together."""
    rows = iter(embedder.embed([face.chip for detection in detections for face in detection.chosen]))
    return [
        Faces(
            one.found,
            tuple(Face(face.index, face.box, face.score, next(rows), face.chip) for face in one.chosen),
            one.left_out,
        )
        for one in detections
    ]


def find_faces(embedder: FaceEmbedder, photo: Pixels, policy: FacesPolicy) -> Faces:
    """The faces of one photo that count under a policy."""
    return embed_faces(embedder, [embedder.detect(photo, FaceRules(policy))])[0]


def choose(found: Sequence[tuple[Box, float]], rules: FaceRules) -> tuple[list[int], LeftOut]:
    """Indices of the faces that count, and how many were left out before the policy chose.

    Parameters
    ----------
    found
        box and score of each face, in the detector's order

    >>> found = [(Box(0, 10, 10, 0), 1.5), (Box(0, 20, 20, 0), 0.25)]
    >>> {policy.value: choose(found, FaceRules(policy))[0] for policy in FacesPolicy}
    {'first': [0], 'largest': [1], 'all': [0, 1], 'single': []}
    >>> choose(found, FaceRules(FacesPolicy.SINGLE, min_face=11))
    ([1], LeftOut(min_face=1, min_score=0))
    >>> choose(found, FaceRules(FacesPolicy.LARGEST, min_score=0.5))
    ([0], LeftOut(min_face=0, min_score=1))
    """
    large = [i for i, (box, _) in enumerate(found) if box.shorter_side >= rules.min_face]
    certain = [i for i in large if found[i][1] >= rules.min_score]
    left_out = LeftOut(len(found) - len(large), len(large) - len(certain))
    match rules.policy:
        case FacesPolicy.FIRST:
            return certain[:1], left_out
        case FacesPolicy.LARGEST:
            return sorted(certain, key=lambda i: -found[i][0].area)[:1], left_out
        case FacesPolicy.ALL:
            return certain, left_out
        case FacesPolicy.SINGLE:
            return certain if len(certain) == 1 else [], left_out


class OnnxEmbedder:
    """Boxes, landmarks and chip as dlib's; dlib's network in ONNX Runtime.

    Parameters
    ----------
    cache
        folder of the converted network; see `meanface.model.cached`
    detector
        who finds the boxes and landmarks; they are the same
    """

    def __init__(self, cache: str | None = None, detector: DetectorChoice = DetectorChoice.AUTO) -> None:
        import dlib
        import onnxruntime

        self._detector = open_detector(detector, cache)
        self._landmarks = open_landmarks(detector)
        self._chip = dlib.get_face_chip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # On ARM with SME2, KleidiAI convolves one chip, and no more at once: a chip's bits would depend on its company.
        options.add_session_config_entry("mlas.disable_kleidiai", "1")
        self._network = onnxruntime.InferenceSession(model.cached(cache), options, providers=["CPUExecutionProvider"])

    def detect(self, photo: Pixels, rules: FaceRules) -> Detection:
        """The faces that count; only these are cut out."""
        found = self._detector.find(photo)
        boxes = [_within(photo, r.top(), r.right(), r.bottom(), r.left()) for r, _ in found]
        scores = [face.score for face in found]
        chosen, left_out = choose(list(zip(boxes, scores, strict=True)), rules)
        aligned = (AlignedFace(i, boxes[i], scores[i], self._align(photo, found[i].rectangle)) for i in chosen)
        return Detection(len(found), tuple(aligned), left_out)

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """(chips, 128): an embedding for each chip, whose bits depend on no other."""
        groups = [np.stack(chips[start : start + CHIPS_AT_ONCE]) for start in range(0, len(chips), CHIPS_AT_ONCE)]
        rows = [self._network.run(None, {"chips": group})[0] for group in groups]
        return np.concatenate([np.empty((0, DIMENSIONS), np.float32), *rows])

    def _align(self, photo: Pixels, rectangle: Rectangle) -> Chip:
        chip: Chip = self._chip(photo, self._landmarks.find(photo, rectangle), model.CHIP_SIZE, CHIP_PADDING)
        return chip


class ReferenceEmbedder:
    """The package `face_recognition` itself, through its own functions.

    `face_encodings(photo)` is `_raw_face_locations` and the landmarks of each, then `compute_face_descriptor`, which
    cuts a face's chip and gives it to the network; the steps are taken one by one here, as scores and chips are wanted,
    too. The bits are the same.
    """

    def __init__(self) -> None:
        import dlib

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)  # by the package's models
            from face_recognition import api

        self._package, self._chip = api, dlib.get_face_chip

    def detect(self, photo: Pixels, rules: FaceRules) -> Detection:
        """The faces that count; only these are cut out."""
        package = self._package
        rectangles, scores, _ = package.face_detector.run(photo, UPSAMPLE)
        boxes = [Box(*package._trim_css_to_bounds(package._rect_to_css(r), photo.shape)) for r in rectangles]
        scores = list(map(rounded, scores))
        chosen, left_out = choose(list(zip(boxes, scores, strict=True)), rules)
        landmarks = (package.pose_predictor_5_point(photo, rectangles[i]) for i in chosen)
        chips = (self._chip(photo, points, model.CHIP_SIZE, CHIP_PADDING) for points in landmarks)
        aligned = (AlignedFace(i, boxes[i], scores[i], chip) for i, chip in zip(chosen, chips, strict=True))
        return Detection(len(boxes), tuple(aligned), left_out)

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """(chips, 128): an embedding for each chip, whose bits depend on no other."""
        encodings = [np.array(self._package.face_encoder.compute_face_descriptor(chip)) for chip in chips]
        return np.array(encodings, np.float32).reshape(-1, DIMENSIONS)


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
