"""From the setting `embedder` to a card, and to what workers need of it."""

from __future__ import annotations

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder import detector
from meanface.embedder.detector import cnn
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.card import DlibDetector, ModelCard, colours, parse
from meanface.embedder.models.files import network_file, read_card
from meanface.embedder.models.plain import DetectorData, ModelData, NetworkData
from meanface.errors import SettingsError
from meanface.photo_settings import DetectorName, EmbedderName, PhotoSettings, is_card
from meanface.settings import Settings


def card_of(settings: PhotoSettings | Settings, network_policy: NetworkPolicy = PUBLIC) -> ModelCard | None:
    """The model card that the settings name; None for the built-in embedders.

    `SettingsError` if it cannot be read, or if another setting does not fit it.
    """
    if not is_card(settings.embedder):
        return None
    card = parse(read_card(settings.embedder, network_policy), settings.embedder)
    if not isinstance(card.detector, DlibDetector) and settings.upsample != Settings.model_fields["upsample"].default:
        raise SettingsError(
            f"upsample={settings.upsample}: the detector {card.detector.kind} of {settings.embedder} does not double "
            "photos; leave upsample out"
        )
    return card


def dlib_detector(card: ModelCard) -> DetectorName | None:
    """The detector of dlib that a card names; None for a network of its own."""
    return DetectorName(_dlibs(card.detector.kind)) if isinstance(card.detector, DlibDetector) else None


def _dlibs(kind: str) -> str:
    return kind.removeprefix("dlib_")


def detector_name_of(settings: Settings, card: ModelCard | None, kernels: KernelChoice) -> str:
    """Name of the detector that a run uses on this machine."""
    name = settings.detector if card is None else dlib_detector(card)
    if card is not None and name is None:
        return card.detector.kind
    own = settings.embedder != EmbedderName.FACE_RECOGNITION  # it always uses dlib's own
    by_cnn = own and name is DetectorName.CNN
    return cnn.cnn_name(kernels) if by_cnn else detector.detector_name(kernels if own else KernelChoice.DLIB)


def check_model(settings: Settings, cache: str | None, network_policy: NetworkPolicy) -> None:
    """Raise `SettingsError` unless the networks of the settings' model card, if there is one, can be used."""
    data = model_data(settings, cache, network_policy)
    if data is not None:
        from meanface.embedder.models.embedder import CardEmbedder  # needs ONNX Runtime

        CardEmbedder(data, cache)


def model_data(
    settings: PhotoSettings | Settings, cache: str | None = None, network_policy: NetworkPolicy = PUBLIC
) -> ModelData | None:
    """What workers need of the card; its networks are on this machine and have the card's digests then."""
    card, address = card_of(settings, network_policy), settings.embedder
    if card is None:
        return None

    def network(file: str, sha256: str, section: str) -> NetworkData:
        path = network_file(address, file, sha256, f"{section}.file", cache, network_policy)
        return NetworkData(str(path), sha256, f"{section}.file")

    found = card.detector
    detector_data: DetectorData | str
    if isinstance(found, DlibDetector):
        detector_data = _dlibs(found.kind)
    else:
        detector_data = DetectorData(
            found.kind,
            network(found.file, found.sha256, "detector"),
            None if found.size == "photo" else found.size,
            found.score_threshold,
            found.nms_threshold,
        )
    return ModelData(
        card=address,
        network=network(card.network.file, card.network.sha256, "network"),
        width=card.input.width,
        height=card.input.height,
        colours_first=card.input.layout == "NCHW",
        bgr=card.input.colours == "BGR",
        mean=colours(card.input.mean),
        scale=colours(card.input.scale),
        points=card.points,
        affine=card.alignment.fit == "affine",
        dimension=card.dimension,
        normalized=card.normalized,
        detector=detector_data,
    )
