"""Runs with a model card: the same bits however they are cut, in any dimension, and nothing mixes."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from meanface.dataset import SAMPLE
from meanface.embedder.models import session
from meanface.embedder.recipe import identity_of, recipe
from meanface.errors import Conflict, SettingsError, UsageError
from meanface.pipeline import plan
from meanface.pipeline.identify import identify
from meanface.pipeline.local import run_locally
from meanface.pipeline.run import Run
from meanface.results.compare import compare
from meanface.results.reader import Result
from meanface.results.result import ResultRecord
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from tiny_models import card, embedding_network

SIZE = {"width": 96, "height": 64, "template": [[30, 25], [66, 25], [48, 35], [34, 48], [62, 48]]}


def run(folder: Path, embedder: Path, workers: int = 1, **settings: object) -> ResultRecord:
    found = Settings.of(dataset="sample", embedder=str(embedder), faces="all", **settings)
    return run_locally(found, Storage(str(folder)), workers=workers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of 700 dimensions, and the results of runs with it."""
    folder = tmp_path_factory.mktemp("cards")
    embedding_network(folder / "wide.onnx", 700, size=(96, 64))
    card(folder, "wide", dimension=700, file="wide.onnx", **SIZE)
    run(folder / "a", folder / "wide.toml", labels="parent_folder")
    return folder


def test_the_mean_is_the_same_for_any_workers_and_partitions(folder: Path) -> None:
    cut = run(folder / "cut", folder / "wide.toml", workers=2, partition_size=2, labels="parent_folder")
    assert cut.partitions.total > 1
    for name in ("mean.npy", "label_means.parquet", "mean_face.png"):
        assert (folder / "cut" / name).read_bytes() == (folder / "a" / name).read_bytes()
    assert cut.fingerprint == json.loads((folder / "a/result.json").read_text())["fingerprint"]


def test_every_file_has_the_cards_dimension_and_size(folder: Path) -> None:
    result = json.loads((folder / "a/result.json").read_text())
    assert np.load(folder / "a/mean.npy").shape == (700,)
    assert len(result["standard_error"]) == len(result["statistics"]["labels"]["balanced_mean"]) == 700
    assert result["statistics"]["missing"]["variances"] == "of 700 dimensions no covariance is kept, only of up to 512"
    (chunk,) = (folder / "a").glob("ledger/*/*/*.parquet")
    table = pq.read_table(chunk)
    faces = np.array(table["embedding"].drop_null().to_pylist())
    assert faces.shape == (result["faces"], 700)
    np.testing.assert_allclose(faces.mean(axis=0), result["mean"], atol=1e-7)
    assert Image.open(io.BytesIO((folder / "a/mean_face.png").read_bytes())).size == (96, 64)
    thumbnail = next(filter(None, table["thumbnail"].to_pylist()))
    assert Image.open(io.BytesIO(thumbnail)).size == (96, 64)
    report = (folder / "a/report.html").read_text()
    assert "Each of the 700 components" in report
    assert result["versions"]["card"] in report


def test_a_photo_is_compared_by_the_same_card(folder: Path) -> None:
    photo = Settings(dataset=str(next(SAMPLE.rglob("grace_hopper.jpg"))))
    found = identify(Result.at(str(folder / "a")), photo, threshold=1.0, workers=1)
    assert found.same_recipe
    assert found.rows[0]["label"] == "grace_hopper"


def test_faces_of_a_card_that_has_another_dimension_now_are_not_identified(folder: Path) -> None:
    changed = folder / "changed.toml"
    shutil.copy(card(folder, "512"), changed)
    result = Result.at(str(folder / "a"))
    other = result.summary.model_copy(update={"settings": result.summary.settings | {"embedder": str(changed)}})
    with pytest.raises(UsageError, match=r"700 dimensions, and .*changed.toml has 512 now"):
        identify(replace(result, summary=other), Settings(dataset="sample"), threshold=1.0, workers=1)


@pytest.mark.long
def test_results_of_two_dimensions_are_not_compared(folder: Path) -> None:
    run(folder / "other", card(folder, "other"))
    with pytest.raises(UsageError, match=r"a has embeddings of 700 dimensions and .*other of 512"):
        compare(Result.at(str(folder / "a")), Result.at(str(folder / "other")))


def settings_of(embedder: object, **changes: object) -> Settings:
    return Settings.of(dataset="sample", embedder=str(embedder), **changes)


def test_the_recipe_is_that_of_the_content_and_not_of_its_place(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.onnx").write_bytes((folder / "wide.onnx").read_bytes())
    moved = card(tmp_path, "moved", dimension=700, file="elsewhere.onnx", **SIZE)
    other = card(tmp_path, "other", dimension=700, file="elsewhere.onnx", normalized="false", **SIZE)
    own = recipe(settings_of(folder / "wide.toml"))
    assert recipe(settings_of(moved)) == own
    assert (
        len({own, recipe(settings_of(other)), recipe(settings_of(moved, upsample=2)), recipe(settings_of("dlib"))}) == 4
    )


def test_the_cpus_instructions_are_in_the_recipe_of_cards_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_card, of_dlib = recipe(settings_of(folder / "wide.toml")), recipe(settings_of("dlib"))
    monkeypatch.setattr(session, "instruction_set", lambda: "another CPU")
    assert recipe(settings_of(folder / "wide.toml")) != of_card
    assert recipe(settings_of("dlib")) == of_dlib
    assert identity_of(settings_of(folder / "wide.toml"))["instructions"] == "another CPU"


def test_a_card_that_changes_during_a_run_ends_it(folder: Path, tmp_path: Path) -> None:
    changing = card(tmp_path)
    planned = Run("changing", MemoryState("changing"), Storage(str(tmp_path / "out")))
    assert plan(planned, settings_of(changing)).dimensions == 512
    changing.write_text(changing.read_text().replace("normalized = true", "normalized = false"))
    with pytest.raises(Conflict, match=r"was planned with recipe .* on machines with the same instructions"):
        planned.manifest()


def test_a_wrong_card_is_refused_when_the_run_is_planned(tmp_path: Path) -> None:
    wrong = card(tmp_path, file=embedding_network(tmp_path / "own.onnx", 128).name)
    with pytest.raises(SettingsError, match=r"dimension=512, but .*own.onnx computes 128 numbers"):
        run(tmp_path / "out", wrong)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"landmarks": "large"}, "a model card aligns and embeds in its own way: leave landmarks out"),
        ({"num_jitters": 3}, "leave num_jitters out"),
        ({"detector": "cnn"}, r"a model card names its own detector, such as detector.kind"),
        ({"embedder": "dilb"}, "expected dlib, face_recognition, or the path or address of a model card, a .toml file"),
    ],
)
def test_settings_that_do_not_fit_a_card_are_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        Settings.of(**{"dataset": "sample", "embedder": "/models/a.toml", **changes})
