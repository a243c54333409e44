"""The README and its linked pages are correct."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import meanface
from meanface.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
WALKTHROUGH = (DOCS / "walkthrough.md").read_text()


def test_length() -> None:
    """A newcomer reads it in one go."""
    assert README.count("\n") <= 100


def test_settings_table() -> None:
    """One row per setting, in order, with its default."""
    text = (DOCS / "settings.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (\S+) \|", text, re.MULTILINE)
    assert [name for name, _ in rows] == list(Settings.model_fields)
    for name, shown in rows:
        default = "sample" if name == "dataset" else Settings.model_fields[name].default
        written = shown.strip("`").replace(",", "")
        assert written == ("none" if default in (None, ()) else str(default).lower()), name


def test_pictures() -> None:
    """Each exists and is small enough to load, and none is unused."""
    shown = {Path(name) for name in re.findall(r'(?:src|srcset)="(docs/pictures/[^"]+)"', README)}
    shown |= {Path("docs", name) for name in re.findall(r"!\[[^]]+\]\((pictures/[^)]+)\)", WALKTHROUGH)}
    kept = {path.relative_to(ROOT) for path in (ROOT / "docs/pictures").iterdir()}
    assert len(shown) == 7
    assert shown == kept
    for path in shown:
        data = (ROOT / path).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 200_000


def test_the_walkthroughs_commands_for_a_cluster_are_the_quickstarts() -> None:
    """A test on a cluster runs the quickstart's."""
    blocks = re.findall(r"(?:^    .*\n)+", WALKTHROUGH.split("## On a cluster")[1], re.MULTILINE)
    quickstart = (DOCS / "quickstart.md").read_text()
    assert len(blocks) == 2
    assert [block for block in blocks if block not in quickstart] == []


def test_session(tmp_path: Path) -> None:
    """The session prints what it prints here; of numbers the last digits may differ between kinds of CPU."""
    session = re.search(r"^    \$ meanface (run .*)\n((?:    .+\n)+)", README, re.MULTILINE)
    assert session
    words, shown = session[1].replace("RESULTS", str(tmp_path)).split(), session[2].splitlines()
    call = [sys.executable, "-m", "meanface", *words, "--workers", "1"]
    printed = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    lines = [line.removeprefix("    ").replace("/home/ada/RESULTS", str(tmp_path)) for line in shown]
    assert len(lines) == 6
    assert [_rounded(line) for line in lines] == [_rounded(line) for line in printed.splitlines()]


def _rounded(line: str) -> str:
    """The line, its numbers with five digits behind the point."""
    return re.sub(r"[+-]\d\.\d{6}", lambda number: f"{float(number[0]):+.5f}", line)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the command in docs/command-line.md, over the sample."""
    commands = (DOCS / "command-line.md").read_text()
    command = re.search(r"^    \.venvs/meanface/bin/meanface (run PHOTOS --output RESULTS)", commands, re.MULTILINE)
    assert command
    folder = tmp_path_factory.mktemp("results")
    words = command[1].replace("PHOTOS", "sample").replace("RESULTS", str(folder)).split()
    subprocess.run([sys.executable, "-m", "meanface", *words, "--workers", "1"], check=True)
    return folder


def test_snippet(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first lines of docs/results.md read these results."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "results.md").read_text(), re.DOTALL)
    exec("".join(blocks[:2]).replace("RESULTS", str(results)), {})
    assert capsys.readouterr().out.startswith("6 {'ok': 6")


def test_compare_and_identify(results: Path, tmp_path: Path) -> None:
    """The commands of docs/compare.md and docs/people.md work as written, one of them with a single photo."""
    text = (DOCS / "compare.md").read_text() + (DOCS / "people.md").read_text()
    commands = re.findall(r"\.venvs/meanface/bin/meanface ((?:compare|identify) .*)", text)
    photo = Path(meanface.__file__).parent / "dataset/sample/photos/grace_hopper/grace_hopper.jpg"
    other = shutil.copytree(results, tmp_path / "other")
    places = {"RESULTS": str(results), "OTHER_RESULTS": str(other), "PHOTOS": str(photo)}
    places["matches.parquet"] = str(tmp_path / "matches.parquet")
    printed = {}
    for command in commands:
        words = command.split()
        call = [sys.executable, "-m", "meanface", *(places.get(word, word) for word in words)]
        printed[words[0]] = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    assert printed.keys() == {"compare", "identify"}
    assert "the same mean to the last bit" in printed["compare"]
    assert "no labels to find" in printed["identify"]


@pytest.mark.long
def test_the_session_of_people(tmp_path: Path) -> None:
    """docs/people.md prints what it prints here, after the README's session."""
    session = re.search(
        r"^    \$ meanface (identify .*)\n((?:(?:    .+)?\n)+)", (DOCS / "people.md").read_text(), re.MULTILINE
    )
    assert session
    words = session[1].replace("RESULTS", str(tmp_path / "RESULTS")).replace("matches", str(tmp_path / "matches"))
    for call in (["run", "sample", "--labels", "parent_folder", "--output", str(tmp_path / "RESULTS")], words.split()):
        command = [sys.executable, "-m", "meanface", *call, "--workers", "1"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    shown = session[2].replace("/home/ada/", f"{tmp_path}/").strip("\n").splitlines()
    assert [line.removeprefix("    ") for line in shown] == printed.splitlines()
