"""The README and its linked pages are correct."""

from __future__ import annotations

import re
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
        assert written == ("none" if default is None else str(default).lower()), name


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


def test_snippet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of docs/results.md read what the command of docs/command-line.md leaves."""
    commands = (DOCS / "command-line.md").read_text()
    command = re.search(r"^    \.venvs/meanface/bin/meanface (run PHOTOS --output RESULTS)", commands, re.MULTILINE)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "results.md").read_text(), re.DOTALL)
    assert command
    words = command[1].replace("PHOTOS", "sample").replace("RESULTS", str(tmp_path)).split()
    subprocess.run([sys.executable, "-m", "meanface", *words, "--workers", "1"], check=True)
    exec("".join(blocks[:2]).replace("RESULTS", str(tmp_path)), {})
    assert capsys.readouterr().out.startswith("6 {'ok': 6")


def test_compare_and_nearest(tmp_path: Path) -> None:
    """The two commands about results, as they are written."""
    text = (DOCS / "compare.md").read_text()
    commands = re.findall(r"\.venvs/meanface/bin/meanface ((?:compare|nearest) .*)", text)
    assert len(commands) == 2
    photo = Path(meanface.__file__).parent / "dataset/sample/photos/grace_hopper/grace_hopper.jpg"
    for words in (
        "run sample --output RESULTS --workers 1",
        "run sample --output OTHER_RESULTS --workers 1",
        *commands,
    ):
        places = {"RESULTS": str(tmp_path / "one"), "OTHER_RESULTS": str(tmp_path / "other"), "PHOTO": str(photo)}
        call = [sys.executable, "-m", "meanface", *(places.get(word, word) for word in words.split())]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
        if words.startswith("compare"):
            assert "the same mean to the last bit" in done.stdout
        elif words.startswith("nearest"):
            assert "distance" in done.stdout
