"""The report: everything is in it, nothing is loaded or run, and no name becomes markup."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from meanface.outcome import Outcome
from meanface.results import report
from meanface.results.duplicates import KEPT
from meanface.results.label_checks import LISTED
from meanface.results.report import Material, charts
from meanface.results.report.shapes import LETTER, Style
from meanface.results.result import ResultRecord, Throughput
from meanface.results.scan import Failure
from meanface.stats.duplicates import SHOWN_NAMES
from meanface.stats.models import Distances, Statistics
from meanface.stats.moments import Moments
from reportpage import Page
from synthetic import embeddings, run_on, write

HOSTILE = [
    "<img src=x onerror=alert(1)>.jpg",
    "\"'><script>alert(1)</script>.jpg",
    "{{ 7 * 7 }}{% raw %}.jpg",
    "javascript:alert(1)&amp;.jpg",
    "\u202egpj.exe\u202c\x9b31m Zoë ✓.jpg",
    "a" * 240 + ".jpg",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ResultRecord, Path]:
    """A run with hostile names, labels, failures and duplicates."""
    folder = tmp_path_factory.mktemp("vectors")
    rows = embeddings(90)
    names = [f"{'<b>' if n % 2 else 'two'} & one/{n:02}{HOSTILE[n % len(HOSTILE)]}" for n in range(len(rows))]
    photos = write(folder / "photos", dict(zip(names, rows, strict=True)))
    write(photos, {f"{n}{name}": b"<b>" for n, name in enumerate(HOSTILE)})
    write(photos, {"copy<1>.jpg": rows[0], "copy<2>.jpg": rows[1] + np.float32(1e-4), "none.jpg": b""})
    output = folder / "out"
    return run_on(photos, output, labels="parent_folder", partition_size=20), output


@pytest.fixture(scope="module")
def material(run: tuple[ResultRecord, Path]) -> Material:
    """All that a report can be made of."""
    result, output = run
    assert result.statistics is not None
    assert result.statistics.distances is not None
    with np.load(output / "moments.npz") as arrays:
        moments = Moments.from_bytes(arrays["exact"].tobytes())
    distances = result.statistics.distances
    return Material(
        result.model_copy(update={"warnings": ["<i>cut off</i>"]}),
        moments,
        {Outcome.UNDECODABLE: [Failure(name, "<b>no</b>") for name in HOSTILE]},
        [Throughput(0, 500, 500, 10.0), Throughput(1, 500, 100, 4.0), Throughput(2, 100, 0, 0.1)],
        picture("PNG"),
        {face.at: picture("JPEG") for face in [*distances.nearest, *distances.farthest]},
    )


def picture(kind: str) -> bytes:
    output = io.BytesIO()
    Image.effect_noise((150, 150), 40).convert("RGB").save(output, kind)
    return output.getvalue()


@pytest.fixture(scope="module")
def page(material: Material) -> Page:
    return Page(report.html(material))


@pytest.mark.long
def test_no_name_becomes_markup(page: Page, run: tuple[ResultRecord, Path]) -> None:
    """In the report of all there is, and in the one that `reduce` wrote."""
    for each in (page, Page((run[1] / "report.html").read_text())):
        assert not set(each.tags) & {"script", "iframe", "object", "embed", "base", "form", "link", "b", "i"}
        assert not {name for _, name, _ in each.attributes if name.startswith("on")}
        assert "<img src=x" in each.words
        assert "<script>" in each.words
        assert not {"\u202e", "\x9b"} & set(each.text)
        assert "{{ 7 * 7 }}" in each.words
        assert "a" * 200 not in each.words  # cut


def test_it_loads_nothing(page: Page) -> None:
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert page.loads_nothing()


def test_references_lead_somewhere(page: Page) -> None:
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {link[1:] for link in page.values("href") | page.values("xlink:href") if link.startswith("#")}
    targets |= set(re.findall(r"url\(#([^)]*)\)", page.text))
    assert targets <= set(ids)


def test_the_sections_are_in_order(page: Page, run: tuple[ResultRecord, Path]) -> None:
    words, result = page.words, run[0]
    assert page.has_every_section()
    assert result.fingerprint in words
    assert "meanface run" in words
    assert "--labels parent_folder" in words
    for shown in ("geometric median", "trimmed mean", "label-balanced mean", "copy<1>.jpg", "copy<2>.jpg", "50.0"):
        assert shown in words, shown
    for value in result.mean:
        assert f"{value:.8f}" in words


def test_charts_have_descriptions(page: Page) -> None:
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == 2 * 7  # wide and narrow
    assert all(any(character.isdigit() for character in label) for label in labels)
    for title in (
        "Mean, ± one standard error",
        "component",
        "faces per",
        "photos/s",
        "cumulative %",
        "covariance",
        "% true accepts",
    ):
        assert title in page.words
    for svg in re.findall(r"<svg.*?</svg>", page.text, re.DOTALL):
        assert "style=" not in svg  # all colours are the page's
        assert set(re.findall(r'class="(\w+)"', svg)) <= {"title", *get_args(Style)}


def outside(svg: str) -> list[str]:
    """Texts of a chart that do not fit into it, by the typical width of a letter, and points of lines that do not."""
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert box
    width, height = map(int, box.groups())
    found = []
    for place, anchor, words in re.findall(r'<text(?: class="title")? (.*?) text-anchor="(\w+)">(.*?)</text>', svg):
        x, y = map(float, re.findall(r"-?\d+\.\d", place))
        before = LETTER * len(words) * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        after = LETTER * len(words) - before
        left, right, above, below = (10, 3, after, before) if "rotate" in place else (before, after, 10, 3)
        if not (left <= x <= width - right and above <= y <= height - below):
            found.append(words)
    for commands in re.findall(r' d="(.*?)"', svg):
        found += [point for point in re.findall(r"[ML]([-\d.]+ [-\d.]+)", commands) if not inside(point, width, height)]
    return found


def inside(point: str, width: int, height: int) -> bool:
    x, y = map(float, point.split())
    return 0 <= x <= width and 0 <= y <= height


def test_charts_stay_within_their_frames(page: Page) -> None:
    for svg in re.findall(r"<svg.*?</svg>", page.text, re.DOTALL):
        assert outside(svg) == []


@pytest.mark.parametrize("faces", [1, 10_000_000])
@pytest.mark.parametrize("beyond", [0, 10_000_000])
def test_any_number_of_faces_fits_into_the_histogram(faces: int, beyond: int) -> None:
    found = Distances(
        bin_width=0.1, counts=[faces] * 9, beyond=beyond, minimum=0.01, maximum=0.9, nearest=[], farthest=[]
    )
    chart = charts.distances(found)
    assert outside(chart.wide) + outside(chart.narrow) == []


@pytest.mark.parametrize("dimensions", [1, 2, 3, 128, 4096])
@pytest.mark.parametrize("size", [0.0, 1e-12, 1.0, 1e6])
def test_any_mean_fits_into_its_chart(dimensions: int, size: float) -> None:
    mean = size * np.linspace(-1, 0.5, dimensions)
    for error, by_label in ((None, None), (abs(mean), None), (abs(mean), 3 * abs(mean))):
        chart = charts.mean_vector(mean, error, by_label)
        assert outside(chart.wide) + outside(chart.narrow) == []


def test_pictures_are_those_that_were_given(page: Page, material: Material) -> None:
    shown = {base64.b64decode(value.partition(",")[2]) for value in page.values("src")}
    assert shown == {material.mean_face, *material.thumbnails.values()}


def test_without_pixels_there_is_a_table(run: tuple[ResultRecord, Path]) -> None:
    plain = Page((run[1] / "report.html").read_text())
    assert "img" not in plain.tags
    assert "Without pictures" in plain.words
    assert run[0].statistics is not None
    assert run[0].statistics.distances is not None
    for face in run[0].statistics.distances.nearest:
        assert f"{face.distance:.4f}" in plain.words


def test_one_missing_picture_does_no_harm(material: Material) -> None:
    one = dict(list(material.thumbnails.items())[:1])
    text = report.html(Material(material.result, material.moments, thumbnails=one))
    assert text.count("no picture") == 2 * 12 - 1


def test_names_break_between_their_words(page: Page) -> None:
    assert "two &amp; one/<wbr>" in page.text
    assert "copy&lt;1&gt;.jpg" in page.text


@pytest.mark.long
def test_the_report_has_the_command_that_repeats_the_run(material: Material) -> None:
    """All of it, where photos may end otherwise or machines were of several kinds."""
    result = material.result

    def repeat(**summary: object) -> str:
        page = Page(report.html(Material(result.model_copy(update=summary), material.moments)))
        return page.words[page.words.index("The same photos and the same recipe") :][:600]

    assert "to the last bit" in repeat()
    assert "could not be read" not in repeat()
    assert "3 photos could not be read" in repeat(
        outcomes=result.outcomes | {Outcome.CRASHED: 1, Outcome.UNREADABLE: 2}
    )


def test_faces_that_do_not_vary(tmp_path: Path) -> None:
    """Two of them, which is as few as have a standard error: it is zero, and all distances are."""
    photos = write(tmp_path / "photos", dict.fromkeys(["a/1.jpg", "b/2.jpg"], embeddings(1)))
    result = run_on(photos, tmp_path / "out", labels="parent_folder")
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert result.standard_error == [0.0] * 128
    assert "same embedding" in page.words
    assert "nan" not in page.words


def test_equal_material_gives_equal_bytes(material: Material, page: Page) -> None:
    assert report.html(material) == page.text


def test_a_page_without_statistics(material: Material) -> None:
    """As of a result that another version wrote."""
    bare = material.result.model_copy(update={"statistics": None, "standard_error": None})
    assert "No standard error" in Page(report.html(Material(bare, material.moments))).words


def test_missing_statistics_have_their_reasons(material: Material) -> None:
    missing = dict.fromkeys(("variances", "distances", "robust", "labels", "duplicates", "failures"), "<u>gone</u>")
    bare = material.result.model_copy(update={"statistics": Statistics(missing=missing)})
    page = Page(report.html(Material(bare, material.moments)))
    assert page.words.count("Not shown: <u>gone</u>") >= len(missing)


def test_the_report_says_what_was_not_searched(material: Material) -> None:
    """Photos under two labels where too many faces are almost equal; and that no threshold is suggested."""
    statistics = material.result.statistics
    assert statistics is not None
    assert statistics.duplicates is not None
    assert statistics.checks is not None
    assert statistics.recognition is not None

    def words(close_pairs: int | None) -> str:
        changed = statistics.model_copy(
            update={
                "duplicates": statistics.duplicates.model_copy(update={"close_pairs": close_pairs}),
                "checks": statistics.checks.model_copy(update={"shared": 0, "shared_photos": []}),
                "recognition": statistics.recognition.model_copy(update={"suggested": None}),
            }
        )
        page = Page(report.html(Material(material.result.model_copy(update={"statistics": changed}), material.moments)))
        assert "No threshold makes both equally frequent" in page.words
        return " ".join(page.words.split("Photos under two labels")[1].split())

    limits = f"first {SHOWN_NAMES} photos of each of the {KEPT:,} largest groups of identical bytes"
    assert words(0).startswith("None found. Searched")
    assert f"{limits}, and the {KEPT:,} closest pairs" in words(0)
    assert "None found among photos with identical bytes" in words(None)
    assert "more than two million pairs are this close" in words(None)
    assert f"{limits}." in words(None)
    assert f"has up to {LISTED:,} of each kind" in Page(report.html(material)).words


def test_one_face(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", {"only.jpg": embeddings(1)})
    run_on(photos, tmp_path / "out")
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert "the variance needs more than one face" in page.words
    assert "the run has no labels" in page.words


def test_a_thousand_partitions_and_failures_make_no_huge_page(material: Material) -> None:
    failures = {Outcome.UNREADABLE: [Failure("x" * 4000, "y" * 4000)] * 100}
    many = [Throughput(index, 1000, 1000, 10 + index % 7) for index in range(1024)]
    text = report.html(Material(material.result, material.moments, failures, many, material.mean_face))
    assert len(text) < 2_000_000


def test_its_template_engine_is_imported_when_it_is_written() -> None:
    script = "import sys, meanface.pipeline; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
