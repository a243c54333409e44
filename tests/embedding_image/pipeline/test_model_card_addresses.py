"""A card and its networks lie in a folder, in a bucket or behind http(s)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder.models.opening import model_data
from meanface.errors import SettingsError
from meanface.settings import Settings
from tiny_models import card, sha256

ANYWHERE = NetworkPolicy.of("allow")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a folder `models` behind http."""
    (tmp_path / "models").mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/models"
        server.shutdown()


def settings(address: str) -> Settings:
    return Settings.of(dataset="sample", embedder=address)


def test_a_card_behind_http_has_its_network_in_the_cache(web: str, tmp_path: Path) -> None:
    path = card(tmp_path / "models")
    data = model_data(settings(f"{web}/tiny.toml"), str(tmp_path / "cache"), ANYWHERE)
    assert data is not None
    digest = sha256(tmp_path / "models/tiny.onnx")
    assert Path(data.network.path) == tmp_path / "cache" / f"{digest}.onnx"
    assert sha256(Path(data.network.path)) == digest
    (tmp_path / "models/tiny.onnx").unlink()
    assert model_data(settings(f"{web}/tiny.toml"), str(tmp_path / "cache"), ANYWHERE) == data
    assert path.exists()


def test_what_the_policy_does_not_allow_is_not_asked(web: str, tmp_path: Path) -> None:
    card(tmp_path / "models")
    with pytest.raises(SettingsError, match=r"model card http.*tiny.toml.*loopback address"):
        model_data(settings(f"{web}/tiny.toml"), str(tmp_path / "cache"), PUBLIC)


def test_a_card_from_elsewhere_names_no_file_of_this_machine(web: str, tmp_path: Path) -> None:
    card(tmp_path / "models")
    text = (tmp_path / "models/tiny.toml").read_text()
    (tmp_path / "models/tiny.toml").write_text(text.replace("tiny.onnx", "/etc/passwd"))
    with pytest.raises(
        SettingsError, match=r"network.file='/etc/passwd' is a path of this machine: name a file beside"
    ):
        model_data(settings(f"{web}/tiny.toml"), str(tmp_path / "cache"), ANYWHERE)


def test_a_card_with_a_password_is_refused() -> None:
    with pytest.raises(SettingsError, match="a card's address has no user and password") as refused:
        model_data(settings("https://ada:secret@models.example/a.toml"))
    assert "secret" not in str(refused.value)


def test_a_card_in_a_bucket(bucket: Any, tmp_path: Path) -> None:
    path = card(tmp_path)
    for name in ("tiny.toml", "tiny.onnx"):
        bucket.pipe_file(f"bucket/models/{name}", path.with_name(name).read_bytes())
    data = model_data(settings("s3://bucket/models/tiny.toml"), str(tmp_path / "cache"))
    assert data is not None
    assert Path(data.network.path).parent == tmp_path / "cache"
    with pytest.raises(SettingsError, match=r"model card s3://bucket/models/none.toml does not exist"):
        model_data(settings("s3://bucket/models/none.toml"))
