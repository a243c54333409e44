"""The embedder that a model card describes; a worker runs it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from meanface.embedder import dlib_models
from meanface.embedder.decode import PhotoRefused, Pixels
from meanface.embedder.detector import Detector, open_detector
from meanface.embedder.detector.cnn import open_cnn
from meanface.embedder.detector.dlib import UPSAMPLE, Found, Rectangle
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.alignment import affine, five_points, similarity, warped
from meanface.embedder.models.detection import LandmarkedBox, NetworkDetector
from meanface.embedder.models.plain import ModelData
from meanface.embedder.models.session import Session
from meanface.errors import SettingsError
from meanface.outcome import Outcome
from meanface.photo_settings import LandmarksName
from meanface.stats.chip_sum import Chip

HOG, CNN = "hog", "cnn"
"""dlib's detectors, as `ModelData.detector` names them"""


class CardEmbedder:
    """Detector, alignment and network of a model card; `SettingsError` if they do not fit the card."""

    def __init__(
        self,
        data: ModelData,
        cache: str | None = None,
        kernels: KernelChoice = KernelChoice.AUTO,
        upsample: int = UPSAMPLE,
    ) -> None:
        self._data = data
        self._template = np.array(data.points)
        self._session = Session(data.card, data.network)
        self._detector: Detector | NetworkDetector
        if not isinstance(data.detector, str):
            self._detector = NetworkDetector(data.card, data.detector)
        else:
            import dlib

            self._detector = (
                open_cnn(kernels, upsample) if data.detector == CNN else open_detector(kernels, cache, upsample)
            )
            self._landmarks = dlib.shape_predictor(str(dlib_models.landmarks_path(LandmarksName.LARGE)))
        self._check()

    def find(self, photo: Pixels) -> Sequence[Found]:
        """As `FaceEmbedder.find`."""
        return self._detector.find(photo)

    def align(self, photo: Pixels, rectangle: Rectangle) -> Chip:
        """As `FaceEmbedder.align`; PhotoRefused for points that have no place in the input."""
        if isinstance(rectangle, LandmarkedBox):
            points = rectangle.points
        else:
            points = five_points([(point.x, point.y) for point in self._landmarks(photo, rectangle).parts()])
        try:
            return warped(photo, self._transform(points), self._data.width, self._data.height)
        except ValueError as error:
            raise PhotoRefused(Outcome.CRASHED, f"a face cannot be aligned: {error}") from error

    def embed(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """As `FaceEmbedder.embed`: one by one, so that no embedding depends on another face."""
        rows = [self._finished(self.outputs([chip])[0]) for chip in chips]
        return np.array(rows, np.float32).reshape(-1, self._data.dimension)

    def outputs(self, chips: Sequence[Chip]) -> NDArray[np.float32]:
        """What the network computes of some chips together, float32[n, numbers]."""
        pixels = np.stack(chips)[..., ::-1] if self._data.bgr else np.stack(chips)
        values = (pixels.astype(np.float32) - np.array(self._data.mean, np.float32)) * np.array(
            self._data.scale, np.float32
        )
        values = values.transpose(0, 3, 1, 2) if self._data.colours_first else values
        return self._session.run(np.ascontiguousarray(values))[0].reshape(len(chips), -1)

    def _transform(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return (affine if self._data.affine else similarity)(points, self._template)

    def _finished(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self._data.normalized:
            return output
        exact = output.astype(np.float64)
        length = float(np.sqrt((exact * exact).sum()))
        return (exact / length).astype(np.float32) if 0 < length < math.inf else output

    def _check(self) -> None:
        """Try the template, and the network on a grey face."""
        data = self._data
        try:
            self._transform(self._template)
        except ValueError as error:
            raise SettingsError(f"model card {data.card}: alignment.template: no face fits it: {error}") from None
        size = (data.height, data.width)
        expected = [1, 3, *size] if data.colours_first else [1, *size, 3]
        if not self._session.takes(expected):
            raise SettingsError(
                f"model card {data.card}: input: {data.network.path} takes an input of {self._session.shape}, and the "
                f"card describes one of {expected}: write its size as input.width and input.height, and its order as "
                "input.layout"
            )
        if len(self._session.outputs) != 1:
            raise SettingsError(
                f"model card {data.card}: network.file: {data.network.path} has the outputs "
                f"{', '.join(self._session.outputs)}: a network that embeds has one"
            )
        found = self.outputs([np.full((*size, 3), 128, np.uint8)]).shape[1]
        if found != data.dimension:
            raise SettingsError(
                f"model card {data.card}: dimension={data.dimension}, but {data.network.path} computes {found} "
                f"numbers: write dimension = {found}"
            )
