"""Datasets of every form, by the DAG: the outcomes and the bits of `meanface run`."""

import json
import subprocess

import pytest
from machine import CHECKOUT, Laptop

from field_cases import CASES, PYTHON, made_cases, needs_cases

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PICTURES = """
import sys
from pathlib import Path
from PIL import Image
from labelled_forms import PEOPLE
source, folder = map(Path, sys.argv[1:])
portrait = Image.open(source).convert("RGB").crop((120, 80, 440, 400))
for who, numbers in PEOPLE.items():
    (folder / who).mkdir(parents=True)
    for number in numbers:
        portrait.rotate(number).resize((160, 160)).save(folder / who / f"{number}.bmp")
"""
# Two files of Parquet are compared where pyarrow is.
MEANS = """
import sys, json
import pyarrow.parquet as pq
table = pq.read_table(sys.argv[1]).to_pylist()
print(json.dumps({row["label"]: (row["faces"], row["mean"]) for row in table}))
"""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    up = Laptop(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEANFACE_PRIVATE_ADDRESSES", "127.0.0.0/8")  # the lists name a server on this machine
        try:
            started = up.do("up")
            assert started.returncode == 0, started.stderr
            yield up
        finally:
            assert up.do("down").returncode == 0


def stages_python(*words):
    """What a program prints that runs in the environment of the stages."""
    return subprocess.run(
        [PYTHON, *words], cwd=CHECKOUT, env={"PYTHONPATH": "tests"}, check=True, capture_output=True, text=True
    ).stdout


def result_of(laptop, dataset, settings):
    """The result of a run of the DAG, and the folder of its files."""
    words = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words = [word for word in words if word != "true"]
    done = laptop.do("run", "--dataset", str(dataset), *words)
    assert done.returncode == 0, done.stdout + done.stderr
    name = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("run "))
    folder = laptop.home / "storage/runs" / name
    return json.loads((folder / "result.json").read_text()), folder


def means_by_label(result, folder):
    return json.loads(stages_python("-c", MEANS, folder / result["artifacts"]["label_means"]))


def test_every_form_of_labels_gives_the_means_of_folders(laptop, tmp_path):
    people = tmp_path / "people"
    portrait = CHECKOUT / "embedding_image/src/meanface/dataset/sample/photos/eileen_collins/astronaut.jpg"
    stages_python("-c", PICTURES, portrait, people)
    result, folder = result_of(laptop, people, {"labels": "parent_folder"})
    means = means_by_label(result, folder)
    assert {label: faces for label, (faces, _) in means.items()} == {"ann": 3, "bob": 2, "zoë": 1}
    forms = json.loads(stages_python("tests/labelled_forms.py", people))
    assert len(forms) >= 8
    for address, settings in forms:
        other, place = result_of(laptop, address, settings)
        assert (other["mean"], other["outcomes"]) == (result["mean"], result["outcomes"]), address
        assert means_by_label(other, place) == means, address


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    with made_cases(tmp_path_factory.mktemp("field")) as folder:
        yield folder


@needs_cases
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.dataset} {' '.join(case.settings)}".strip())
def test_every_photo_counts_once_under_its_label(case, cases, laptop):
    result, folder = result_of(laptop, cases / case.dataset, case.settings)
    case.check(result)
    if case.labels:
        assert tuple(means_by_label(result, folder)) == case.labels
