"""The mean of a series is that of one run over all its photos, whatever the order, the repetitions, the company."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations, product
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laws import examples
from meanface.dataset import resolve
from meanface.errors import Conflict, DamagedRecord, NoFaceFound, OutputNotEmpty, SettingsError
from meanface.ledger.contribution import Contribution, ContributionHeader
from meanface.outcome import Outcome
from meanface.pipeline import plan
from meanface.pipeline.run import Run
from meanface.pipeline.series import Series, SeriesResult, in_series
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.stats.moments import Moments
from meanface.storage import marker
from meanface.storage.files import Storage
from meanface.storage.marker import InSeries


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def contribution(number: int, faces: int, seed: int = 0, **changes: Any) -> Contribution:
    """Of a day with some faces and one photo without."""
    vectors = np.random.default_rng([number, seed]).normal(0, 0.1, (faces, 128)).astype(np.float32)
    head = ContributionHeader(
        series="s",
        interval=in_series("s", day(number)).interval,
        run=f"day {number}",
        recipe="r",
        fingerprint=f"f{seed}",
        dataset="photos",
        photos=faces + 1,
        outcomes={Outcome.OK: faces, Outcome.NO_FACE: 1},
        faces=faces,
    )
    return Contribution(head.model_copy(update=changes), Moments.of(vectors))


def merged(contributions: list[Contribution]) -> Moments:
    return sum((one.moments for one in contributions), Moments.zero())


def files(folder: str | Path) -> dict[str, bytes]:
    """Of the series' result."""
    there = Path(folder, "series", "s").iterdir()
    return {path.name: path.read_bytes() for path in there if path.is_file() and path.name != marker.FILE}


@pytest.mark.long
@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=7))
def test_the_last_of_each_day_counts_in_any_order(days: list[tuple[int, int, int]]) -> None:
    last = {number: (number, faces, seed) for number, faces, seed in days}
    expected = [contribution(*one) for one in last.values()]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for each in days:
            result = Series(Storage(one), "s").add(contribution(*each))
        for each in sorted(last.values(), reverse=True):
            Series(Storage(other), "s").add(contribution(*each))
        moments = merged(expected)
        if not moments.count:
            assert result is None
            assert files(one) == files(other) == {}
            return
        assert result is not None
        assert result.mean == moments.mean().tolist()
        assert (result.faces, len(result.intervals)) == (moments.count, len(last))
        assert result.photos == moments.count + len(last)
        with np.load(Path(one, "series/s/moments.npz")) as stored:
            assert Moments.from_bytes(stored["exact"].tobytes()) == moments
        assert json.loads(files(one)["result.json"])["mean"] == result.mean
        assert np.load(Path(one, "series/s/mean.npy")).tolist() == result.mean
        assert {name: data.replace(other.encode(), one.encode()) for name, data in files(other).items()} == files(one)


def test_concurrent_runs_end_with_all_contributions(tmp_path: Path) -> None:
    start = Barrier(12)

    def add(number: int) -> None:
        start.wait()
        Series(Storage(str(tmp_path)), "s").add(contribution(number, 2))

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(add, range(1, 13)))
    result = json.loads(files(tmp_path)["result.json"])
    assert [head["run"] for head in result["intervals"]] == [f"day {number}" for number in range(1, 13)]
    assert result["mean"] == merged([contribution(number, 2) for number in range(1, 13)]).mean().tolist()
    assert np.load(tmp_path / "series/s/mean.npy").tolist() == result["mean"]


def test_photos_of_another_dataset_do_not_replace_those_of_a_day(shared: Any, folder: Path, tmp_path: Path) -> None:
    interval = in_series("s", day(1))
    other = tmp_path / "paris"
    shutil.copytree(folder, other)
    first = shared.result("berlin", folder, series=interval)
    before = files(tmp_path / "storage")
    with pytest.raises(Conflict, match=rf"has the photos of {folder} \(run berlin\), and those of {other}"):
        plan(shared.run("paris"), Settings.of(dataset=str(other)), interval)
    late = contribution(1, 3, dataset=str(other), generation=9)  # both were planned before one was reduced
    with pytest.raises(Conflict, match="a series of its own"):
        Series(shared.storage, "s").add(late)
    assert files(tmp_path / "storage") == before
    assert shared.result("berlin-again", folder, series=interval).mean == first.mean


def test_contributions_written_meanwhile_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The narrowest case: a contribution changes and changes back between the two looks of another process."""
    storage = Storage(str(tmp_path))
    Series(storage, "s").add(contribution(1, 2))
    path = tmp_path / "series/s/intervals/2026-01-01T00:00:00Z.moments"
    kept, other = path.read_bytes(), contribution(1, 2, seed=1).to_bytes()
    original, reads = Series._contributions, []

    def contributions(self: Series) -> Any:
        if not reads:
            path.write_bytes(other)
        reads.append(1)
        yield from original(self)
        path.write_bytes(kept)

    monkeypatch.setattr(Series, "_contributions", contributions)
    result = Series(storage, "s").add(contribution(2, 3))
    assert result is not None
    assert len(reads) == 2
    assert result.mean == merged([contribution(1, 2), contribution(2, 3)]).mean().tolist()


def test_a_later_plan_stays(tmp_path: Path) -> None:
    """Whenever an earlier one is written, and whether or not its process survives to remove its file."""
    series, place = Series(Storage(str(tmp_path)), "s"), in_series("s", day(1)).interval
    assert series.generation(place) == -1
    series.add(contribution(1, 2))
    series.add(contribution(1, 3, seed=1, generation=2))
    series.add(contribution(1, 4, seed=2, generation=10))
    before = files(tmp_path)
    for generation in (0, 2):
        with pytest.raises(Conflict, match=r"interval 2026-01-01.* later plan .* clear the run from plan on"):
            series.add(contribution(1, 2, generation=generation))
    (left,) = (tmp_path / "series/s/intervals").iterdir()
    assert left.name == "2026-01-01T00:00:00Z.10.moments"
    left.with_name("2026-01-01T00:00:00Z.moments").write_bytes(contribution(1, 2).to_bytes())
    assert series.generation(place) == 10
    assert files(tmp_path) == before
    result = series.add(contribution(2, 1))
    assert result is not None
    assert result.mean == merged([contribution(1, 4, seed=2), contribution(2, 1)]).mean().tolist()


def test_of_two_runs_of_a_day_the_one_that_was_planned_later_counts(
    shared: Any, face: Any, write: Any, tmp_path: Path
) -> None:
    """The other is planned again to replace it, also where its photos are the same."""
    place, photos = in_series("s", day(1)), write(tmp_path / "photos", {"0.bmp": face(0)})
    first = shared.embedded("run-0", photos, series=place)
    shared.reduce(first)
    write(photos, {"0.bmp": face(1)}, at=2_000_000_000)
    second = shared.result("run-1", photos, series=place)
    assert second.series is not None
    assert second.series.mean == second.mean
    with pytest.raises(Conflict, match="clear the run from plan on"):
        shared.reduce(first)
    write(photos, {"0.bmp": face(0)})
    plan(first, Settings(dataset=str(photos), partition_size=2), place)
    assert first.manifest().generation == 2
    shared.embed(first)
    again = shared.reduce(first)
    assert again.series.mean == again.mean != second.mean


def test_other_recipes_do_not_mix(tmp_path: Path) -> None:
    series = Series(Storage(str(tmp_path)), "s")
    series.add(contribution(1, 2))
    series.add(contribution(1, 2, recipe="new"))  # the only interval may change its recipe
    before = files(tmp_path)
    message = r"series s: interval 2026-01-01.* \(run day 1\) has recipe new, interval 2026-01-02.* has old"
    with pytest.raises(Conflict, match=message):
        series.expect("old", "2026-01-02T00:00:00Z")
    with pytest.raises(Conflict, match=message):
        series.add(contribution(2, 2, recipe="old"))
    assert files(tmp_path) == before
    assert len(list((tmp_path / "series/s/intervals").iterdir())) == 1
    (tmp_path / "series/s/result.json").unlink()  # where there is no result, the contributions tell
    with pytest.raises(Conflict, match=r"begin another series; .* remove its file in .*/series/s/intervals"):
        series.add(contribution(2, 2, recipe="old"))


@pytest.mark.parametrize("name", ["result.json", "mean.npy", "moments.npz"])
def test_an_edited_result_stays(tmp_path: Path, name: str) -> None:
    series = Series(Storage(str(tmp_path)), "s")
    series.add(contribution(1, 2))
    mine = tmp_path / "series/s" / name
    mine.write_text("mine")
    for step in (lambda: series.expect("r", "2026-01-02T00:00:00Z"), lambda: series.add(contribution(2, 2))):
        with pytest.raises(Conflict, match=f"{name} in .*/series/s is not as meanface wrote it.* Move it away"):
            step()
    assert mine.read_text() == "mine"
    mine.rename(tmp_path / "moved")
    assert len(series.add(contribution(2, 2)).intervals) == 2


@pytest.mark.parametrize("file", ["mean.npy", "intervals/2026-01-01T00:00:00Z.moments", ".meanface.json"])
def test_a_foreign_folder_is_no_series(tmp_path: Path, file: str) -> None:
    Storage(str(tmp_path / "series/s")).write(file, b"mine")
    with pytest.raises(OutputNotEmpty, match="/series/s"):
        Series(Storage(str(tmp_path)), "s").add(contribution(1, 2))
    assert [path.read_bytes() for path in (tmp_path / "series/s").rglob("*") if path.is_file()] == [b"mine"]


def test_a_file_in_the_place_of_an_earlier_plans_contribution_stays(tmp_path: Path) -> None:
    series = Series(Storage(str(tmp_path)), "s")
    series.add(contribution(1, 2))
    (mine,) = (tmp_path / "series/s/intervals").iterdir()
    mine.write_text("mine")
    series.add(contribution(1, 2, generation=1))
    assert mine.read_text() == "mine"


def test_a_file_in_the_place_of_a_contribution_stays_and_is_named(tmp_path: Path) -> None:
    series = Series(Storage(str(tmp_path)), "s")
    series.add(contribution(1, 2))
    (mine,) = (tmp_path / "series/s/intervals").iterdir()
    mine.write_text("mine")
    with pytest.raises(DamagedRecord, match=f"{mine.name}: .*; move it away, and clear the run of its interval"):
        series.add(contribution(1, 3))
    assert mine.read_text() == "mine"
    mine.rename(tmp_path / "moved")
    assert series.add(contribution(1, 3)).faces == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "moved", "another series"])
def test_a_damaged_interval_is_named(tmp_path: Path, damage: str) -> None:
    series = Series(Storage(str(tmp_path)), "s")
    series.add(contribution(1, 2))
    path = tmp_path / "series/s/intervals/2026-01-01T00:00:00Z.moments"
    data = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(data[:-1])
        case "flipped":
            path.write_bytes(data.replace(b'"faces":2', b'"faces":3'))
        case "empty":
            path.write_bytes(b"")
        case "moved":
            path = path.rename(path.with_name("2026-01-03T00:00:00Z.moments"))
        case "another series":
            path.write_bytes(contribution(1, 2, series="t").to_bytes())
    with pytest.raises(DamagedRecord, match=path.name):
        series.add(contribution(2, 2))


def test_a_contribution_comes_back_and_every_change_is_noticed() -> None:
    one = contribution(1, 3)
    data = one.to_bytes()
    assert Contribution.from_bytes(data) == one
    for place in range(0, len(data), 997):
        with pytest.raises(DamagedRecord):
            Contribution.from_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


def test_intervals_are_moments_in_utc() -> None:
    eastern = timezone(timedelta(hours=-5))
    assert in_series("s", datetime(2026, 1, 1, 19, tzinfo=eastern)) == in_series("s", day(2))
    assert in_series("s", datetime(2026, 1, 2)) == in_series("s", day(2))  # noqa: DTZ001 - a date without a zone
    with pytest.raises(SettingsError, match="give --date"):
        in_series("s", None)
    with pytest.raises(SettingsError, match="series name 'a/b'"):
        in_series("a/b", day(1))


def test_three_days_are_one_run_over_all(shared: Any, face: Any, write: Any, tmp_path: Path) -> None:
    """In any order, with a day that is run again after its photos have changed."""
    everything = tmp_path / "photos"
    numbers = {1: range(3), 2: range(3, 4), 3: range(4, 8)}
    for number, photos in numbers.items():
        write(everything / f"{number}", {f"{photo}.bmp": face(photo) for photo in photos})
    (everything / "2" / "page.jpg").write_text("no image")
    old = {"0.bmp": face(40), "1.bmp": face(41)}
    whole = shared.elsewhere().result("whole", everything)
    assert whole.series is None
    for name, order in enumerate(list(permutations(numbers))[::2]):
        place = f"series-{name}"
        changing = (everything / f"{order[1]}").rename(tmp_path / "aside")
        shared.result(f"{name}-early", write(everything / f"{order[1]}", old), series=in_series(place, day(order[1])))
        shutil.rmtree(everything / f"{order[1]}")
        changing.rename(everything / f"{order[1]}")
        for number in order:
            result = shared.result(f"{name}-{number}", everything / f"{number}", series=in_series(place, day(number)))
        assert result.series is not None
        assert result.series.model_dump() == {
            "name": place,
            "interval": f"2026-01-0{order[-1]}T00:00:00Z",
            "intervals": 3,
            "photos": whole.photos,
            "faces": whole.faces,
            "mean": whole.mean,
            "location": f"{shared.storage.url}/series/{place}",
        }
        stored = SeriesResult.model_validate_json(Path(result.series.location, "result.json").read_bytes())
        assert (stored.mean, stored.outcomes, stored.standard_error) == (
            whole.mean,
            whole.outcomes,
            whole.standard_error,
        )
        assert [head.run for head in stored.intervals] == [f"{name}-{number}" for number in numbers]
        assert stored.recipe == whole.recipe


def test_days_of_several_datasets_are_one_run_over_all(shared: Any, face: Any, write: Any, tmp_path: Path) -> None:
    """Each day has the photos of two cameras; a date is filled into each address."""
    for photo, (camera, number) in enumerate(product(("door", "gate"), (1, 2))):
        write(tmp_path / camera / f"2026-01-0{number}", {f"{photo}.bmp": face(photo)})
    dated = "\n".join(str(tmp_path / camera / "%Y-%m-%d") for camera in ("door", "gate"))
    for number in (2, 1):
        result = shared.result(f"{number}", resolve(dated, day(number)), series=in_series("cameras", day(number)))
    whole = shared.elsewhere().result("whole", f"{tmp_path / 'door'}\n{tmp_path / 'gate'}")
    assert result.series is not None
    assert (result.series.photos, result.series.faces, result.series.mean) == (4, 4, whole.mean)


def test_a_day_without_a_face_counts_by_its_photos(shared: Any, face: Any, write: Any, tmp_path: Path) -> None:
    blank = tmp_path / "blank"
    blank.mkdir()
    shutil.copy(Path(__file__), blank / "0.png")
    where = in_series("s", day(1))
    with pytest.raises(NoFaceFound):
        shared.result("blank", blank, series=where)
    assert not Path(shared.storage.url, "series/s/result.json").exists()
    faces = write(tmp_path / "faces", {"0.bmp": face(0)})
    result = shared.result("second", faces, series=in_series("s", day(2)))
    assert (result.series.photos, result.series.faces, result.series.intervals) == (2, 1, 2)
    with pytest.raises(NoFaceFound):
        shared.result("emptied", write(faces, {"0.bmp": b"no photo"}), series=in_series("s", day(2)))
    assert files(shared.storage.url) == {}


def test_a_series_of_other_settings_is_refused_by_plan(shared: Any, face: Any, write: Any, tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", {"0.bmp": face(0)})
    shared.result("first", photos, series=in_series("s", day(1)))
    with pytest.raises(Conflict, match=r"series s: interval 2026-01-01T00:00:00Z \(run first\) has recipe"):
        plan(shared.run("second"), Settings(dataset=str(photos), faces="all"), in_series("s", day(2)))
    run = shared.run("again")
    plan(run, Settings(dataset=str(photos)), in_series("s", day(1)))
    with pytest.raises(Conflict, match=r"series=\{'name': 's', .*\} then, None now"):
        plan(run, Settings(dataset=str(photos)))


def test_a_run_without_shared_storage_is_in_no_series(shared: Any, folder: Path) -> None:
    alone = Run("alone", MemoryState("alone"), shared.storage.child("alone"))
    with pytest.raises(SettingsError, match="needs storage that runs share"):
        plan(alone, Settings(dataset=str(folder)), InSeries(name="s", interval="2026-01-01T00:00:00Z"))


def test_the_series_counts_outcomes_of_all_its_days(tmp_path: Path) -> None:
    series = Series(Storage(str(tmp_path)), "s")
    outcomes = Counter[Outcome]()
    for number in (1, 2, 3):
        one = contribution(number, number)
        outcomes.update(one.head.outcomes)
        result = series.add(one)
    assert result is not None
    assert result.outcomes == {outcome: outcomes[outcome] for outcome in Outcome}
    assert (result.photos, result.photos_with_face) == (9, 6)
