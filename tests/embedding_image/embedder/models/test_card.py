"""Every mistake in a card is refused with a sentence that names the key; its digest is that of its content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meanface.embedder.models.card import parse
from meanface.errors import SettingsError
from tiny_models import CARD, FIELDS, card

YUNET = 'kind = "yunet"\nfile = "d.onnx"\nsha256 = "' + "0" * 64 + '"\nsize = {size}\n'
THRESHOLDS = "score_threshold = {score}\nnms_threshold = 0.3"


def text(**changes: Any) -> str:
    return CARD.format(**FIELDS | changes)


def yunet(size: str = '"photo"', score: float = 0.9) -> str:
    return YUNET.format(size=size) + THRESHOLDS.format(score=score)


def digest(content: str) -> str:
    return parse(content.encode(), "a.toml").digest


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            text().replace("dimension = 512\n", ""),
            "dimension is missing: write numbers of an embedding, from 1 to 4,096",
        ),
        (text().replace(f'sha256 = "{"a" * 64}"\n', ""), "network.sha256 is missing: write the SHA-256 of the file"),
        (text().replace("[network]", "[net]"), "network is missing: write a section with file and sha256"),
        (
            text().replace("width", "with"),
            "input.with is not a key of a card; the keys there are width, height, layout",
        ),
        (text(dimension=5000), "dimension=5000 is refused .*: write numbers of an embedding, from 1 to 4,096"),
        (text(dimension='"many"'), "dimension='many' is refused"),
        (
            text(sha256="ABC"),
            "network.sha256='ABC' is refused .*: write the SHA-256 of the file, 64 hexadecimal digits",
        ),
        (text(width=8), "input.width=8 is refused .*: write pixels of an aligned face, from 16 to 1024"),
        (text(width=160), "alignment.template=arcface_112 is for an input of 112 x 112 pixels, not 160 x 112"),
        (text(colours="CMY"), "input.colours='CMY' is refused .*: write RGB or BGR"),
        (text(layout="CHW"), "input.layout='CHW' is refused .*: write NCHW"),
        (text(scale="nan"), "input.scale=nan is refused"),
        (text(template="[[1, 2]]"), "alignment.template.* is refused .*: write .*five points"),
        (text(template='"arcface_112"\nfit = "rigid"'), 'alignment.fit=.rigid. is refused .*: write "similarity"'),
        (text(detector='kind = "mtcnn"'), "detector.* is refused .*: write a section with kind = .*yunet"),
        (text(detector="size = 1"), "detector.kind is missing"),
        (text(detector='kind = "yunet"'), "detector.file is missing.*; .*detector.nms_threshold is missing"),
        (text(detector=yunet("[100, 64]")), "detector.size.* is refused .*multiples of 32"),
        (text(detector=yunet(score=1.5)), "detector.score_threshold=1.5 is refused .*between 0 and 1"),
        (text(detector='kind = "dlib_hog"\nsize = 1'), "detector.size is not a key of a card; the keys there are kind"),
        (text(name="two\\nlines"), "name: it has a line break"),
        ("name = ", " is not TOML: "),
        ("\0", " is not TOML: "),
    ],
)
def test_a_mistake_is_refused_by_its_key(content: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s)^model card a.toml.*{why}"):
        parse(content.encode(), "a.toml")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"file": "models/elsewhere.onnx"},
        {"mean": "[127.5, 127.5, 127.5]"},
        {"mean": "127.50", "scale": "7.8125e-3"},
        {"template": '"arcface_112"\nfit = "similarity"'},
        {
            "template": "[[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], "
            "[70.7299, 92.2041]]"
        },
    ],
)
def test_what_changes_no_embedding_changes_no_digest(changes: dict[str, str]) -> None:
    assert digest(text(**changes)) == digest(text())


def test_everything_else_changes_the_digest() -> None:
    changed = [
        {"sha256": "b" * 64},
        {"dimension": 511},
        {"normalized": "false"},
        {"layout": "NHWC"},
        {"colours": "BGR"},
        {"mean": 0},
        {"mean": "[1, 2, 3]"},
        {"scale": 1},
        {"template": "[[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70, 92]]"},
        {"template": '"arcface_112"\nfit = "affine"'},
        {"detector": 'kind = "dlib_cnn"'},
        {"detector": yunet()},
        {"detector": yunet(score=0.8)},
        {"detector": yunet("[640, 640]")},
        {"detector": yunet().replace("0" * 64, "1" * 64)},
    ]
    digests = {digest(text(**changes)) for changes in [{}, *changed]}
    assert len(digests) == 1 + len(changed)


def test_a_network_is_named_relative_to_its_card(tmp_path: Path) -> None:
    assert parse(card(tmp_path).read_bytes(), "tiny.toml").network.file == "tiny.onnx"
