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
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meanface.embedder import network
from meanface.embedder.decode import Pixels
from meanface.embedder.detector import UPSAMPLE, DetectorChoice, Rectangle, open_detector, rounded
from meanface.embedder.faces import AlignedFace, Box, Detection, Face, Faces, LeftOut
from meanface.embedder.landmarks import open_landmarks
from meanface.photo_settings import EmbedderName, FaceRules, FacesPolicy
from meanface.stats.chip_sum import CHIP_SIZE, Chip
from meanface.stats.moments import DIMENSIONS

CHIP_PADDING = 0.25

CHIPS_AT_ONCE = 16
"""What the network gains by more chips, it has gained by then; it takes 3 MB for each."""


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
        folder of the converted network; see `meanface.embedder.network.cached`
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
        self._network = onnxruntime.InferenceSession(network.cached(cache), options, providers=["CPUExecutionProvider"])

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
        chip: Chip = self._chip(photo, self._landmarks.find(photo, rectangle), CHIP_SIZE, CHIP_PADDING)
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
        chips = (self._chip(photo, points, CHIP_SIZE, CHIP_PADDING) for points in landmarks)
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


def _within(photo: Pixels, top: int, right: int, bottom: int, left: int) -> Box:
    """The rectangle, cut where it leaves the photo."""
    rows, columns = photo.shape[:2]
    return Box(max(top, 0), min(right, columns), min(bottom, rows), max(left, 0))
