"""Find and embed the faces of a photo: detector, landmarks, aligned chip, network.

The reference is `face_recognition.face_encodings(photo)`: dlib's HOG detector with the photo
upsampled once, 5-point landmarks, a chip of 150 x 150 pixels, dlib's network, no jitter. That package
also has the options `upsample`, `landmarks` and `num_jitters`. `DlibEmbedder` takes the same steps,
with dlib's boxes (`detector/`), landmarks (`landmarks.py`) and chip, and computes the same network
faster (`network.py`); its embeddings differ by less than 1e-6 per component. Each embedding has the
same bits as alone: it depends on its chip only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from meanface.embedder.decode import Photo, Pixels
from meanface.embedder.detector import open_detector
from meanface.embedder.detector.cnn import found_by_dlib, open_cnn
from meanface.embedder.detector.dlib import UPSAMPLE, Found, Rectangle, rounded
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.faces import Box, LeftOut
from meanface.embedder.jitter import jittered
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.landmarks import open_landmarks
from meanface.embedder.models.plain import ModelData
from meanface.embedder.network import open_network
from meanface.embedder.result import Detection
from meanface.photo_settings import (
    DetectorName,
    EmbedderName,
    FaceRules,
    FacesPolicy,
    LandmarksName,
    PhotoSettings,
)
from meanface.stats.chip_sum import CHIP_SIZE, Chip

if TYPE_CHECKING:
    from meanface.settings import Settings

CHIP_PADDING = 0.25


class FaceEmbedder(Protocol):
    """Finds and embeds the faces of photos; not thread-safe."""

    def find(self, photo: Pixels) -> Sequence[Found]:
        """All faces, by falling score."""
        ...

    def align(self, photo: Pixels, rectangle: Rectangle) -> Chip:
        """The chip of a face."""
        ...

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """Embeddings of chips, float32[n, d]; the bits of each depend on its chip only."""
        ...


def detect_faces(embedder: FaceEmbedder, photo: Photo, rules: FaceRules) -> Detection:
    """Find the faces of a photo, choose by the rules, and align the chosen ones."""
    rows, columns = photo.pixels.shape[:2]
    faces = embedder.find(photo.pixels)
    found = [
        (Box(max(face.top(), 0), min(face.right(), columns), min(face.bottom(), rows), max(face.left(), 0)), score)
        for face, score in faces
    ]
    chosen, left_out = choose(found, rules)
    chips = {index: embedder.align(photo.pixels, faces[index].rectangle) for index in chosen}
    return Detection(found, chips, left_out, photo.orientation)


def choose(found: Sequence[tuple[Box, float]], rules: FaceRules) -> tuple[list[int], LeftOut]:
    """Indices of the faces that the rules choose, and how many they left out before the policy.

    `found` has the box and score of each face, in the detector's order.

    >>> found = [(Box(0, 10, 10, 0), 1.5), (Box(0, 20, 20, 0), 0.25)]
    >>> {policy.value: choose(found, FaceRules(policy))[0] for policy in FacesPolicy}
    {'first': [0], 'largest': [1], 'all': [0, 1], 'single': []}
    >>> choose(found, FaceRules(FacesPolicy.SINGLE, min_face=11))
    ([1], LeftOut(min_face=1, min_score=0))
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


class DlibEmbedder:
    """dlib's boxes, landmarks, chips and network, in faster code where this machine has it.

    `cache` is the folder of the detector's derived weights. All detectors and kernels give the same results.
    """

    def __init__(
        self,
        cache: str | None = None,
        kernels: KernelChoice = KernelChoice.AUTO,
        *,
        detector: DetectorName = DetectorName.HOG,
        upsample: int = UPSAMPLE,
        landmarks: LandmarksName = LandmarksName.SMALL,
        num_jitters: int = 1,
    ) -> None:
        import dlib

        hog = detector is DetectorName.HOG
        self._detector = open_detector(kernels, cache, upsample) if hog else open_cnn(kernels, upsample)
        self._landmarks = open_landmarks(kernels, landmarks)
        self._num_jitters = num_jitters
        self._chip = dlib.get_face_chip
        self._network = open_network(kernels)

    def find(self, photo: Pixels) -> list[Found]:
        """As `FaceEmbedder.find`."""
        return self._detector.find(photo)

    def align(self, photo: Pixels, rectangle: Rectangle) -> Chip:
        """As `FaceEmbedder.align`."""
        chip: Chip = self._chip(photo, self._landmarks.find(photo, rectangle), CHIP_SIZE, CHIP_PADDING)
        return chip

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """As `FaceEmbedder.embed`."""
        if not chips:
            return np.empty((0, DIMENSIONS), np.float32)
        if self._num_jitters == 1:
            return self._network.embed(np.stack(chips))
        return np.stack([jittered(chip, self._num_jitters, self._network.embed) for chip in chips])


class ReferenceEmbedder:
    """The package `face_recognition` itself, through its own models.

    `face_encodings(photo)` calls detector and landmarks, then `compute_face_descriptor`, which cuts
    out a face's chip and passes it to the network. Here these are single steps, for the scores and
    chips; the bits are the same. Jitter is that of `jitter`: the package's own would depend on the
    faces before.
    """

    def __init__(
        self,
        *,
        detector: DetectorName = DetectorName.HOG,
        upsample: int = UPSAMPLE,
        landmarks: LandmarksName = LandmarksName.SMALL,
        num_jitters: int = 1,
    ) -> None:
        import dlib

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
            from face_recognition import api

        self._package, self._chip, self._num_jitters = api, dlib.get_face_chip, num_jitters
        self._detector, self._upsample = detector, upsample
        small = landmarks is LandmarksName.SMALL
        self._landmarks = api.pose_predictor_5_point if small else api.pose_predictor_68_point

    def find(self, photo: Pixels) -> list[Found]:
        """As `FaceEmbedder.find`."""
        if self._detector is DetectorName.CNN:
            return found_by_dlib(self._package.cnn_face_detector, photo, self._upsample)
        rectangles, scores, _ = self._package.face_detector.run(photo, self._upsample)
        return [Found(*face) for face in zip(rectangles, map(rounded, scores), strict=True)]

    def align(self, photo: Pixels, rectangle: Rectangle) -> Chip:
        """As `FaceEmbedder.align`."""
        chip: Chip = self._chip(photo, self._landmarks(photo, rectangle), CHIP_SIZE, CHIP_PADDING)
        return chip

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """As `FaceEmbedder.embed`."""
        if self._num_jitters == 1:
            return self._encode(chips)
        rows = [jittered(chip, self._num_jitters, self._encode) for chip in chips]
        return np.array(rows, np.float32).reshape(-1, DIMENSIONS)

    def _encode(self, chips: Iterable[Chip]) -> NDArray[np.float32]:
        encodings = [np.array(self._package.face_encoder.compute_face_descriptor(chip)) for chip in chips]
        return np.array(encodings, np.float32).reshape(-1, DIMENSIONS)


def open_embedder(
    settings: PhotoSettings | Settings,
    cache: str | None = None,
    kernels: KernelChoice = KernelChoice.AUTO,
    model: ModelData | None = None,
) -> FaceEmbedder:
    """Load the embedder that the settings name; `model` is that of a card. The reference has its own detectors."""
    if model is not None:
        from meanface.embedder.models.embedder import CardEmbedder  # needs ONNX Runtime

        return CardEmbedder(model, cache, kernels, settings.upsample)
    own = settings.embedder is EmbedderName.DLIB
    embedder: Callable[..., FaceEmbedder] = partial(DlibEmbedder, cache, kernels) if own else ReferenceEmbedder
    return embedder(
        detector=settings.detector,
        upsample=settings.upsample,
        landmarks=settings.landmarks,
        num_jitters=settings.num_jitters,
    )
