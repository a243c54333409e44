"""What people see in a terminal: one bar, warnings above it, the result; how Ctrl-C ends; completion."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from meanface.dataset import SAMPLE
from polling import until
from terminal import Terminal

MEANFACE = [sys.executable, "-m", "meanface"]
LOG_LINES = ("planned", "committed", "reduced", "embedding ")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """That of a user whose programs are those of the environment."""
    bin_folder = str(Path(sys.executable).parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEANFACE_", "XDG_"))}
    return kept | {"HOME": str(home), "PATH": f"{bin_folder}:{os.environ['PATH']}"}


@pytest.mark.long
def test_a_terminal_has_the_bar_and_the_result_but_no_log_line(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [*MEANFACE, "run", "sample", "--partition-size", "2", "--workers", "1"]
    with Terminal(command, env=environment, cwd=tmp_path) as terminal:
        assert terminal.end() == 0
    assert "7/7" in terminal.shown
    assert [line for line in LOG_LINES if line in terminal.shown] == []
    assert terminal.shown.splitlines()[-1] == f"report  {tmp_path}/sample-mean/report.html"


@pytest.mark.long
@pytest.mark.parametrize("quiet", [False, True])
def test_a_warning_is_printed_above_the_bar_unless_quiet(
    tmp_path: Path, environment: dict[str, str], quiet: bool
) -> None:
    command = [*MEANFACE, "run", f"{SAMPLE}/grace_hopper", "--labels", "top_folder", "-o", "out", "--workers", "1"]
    with Terminal([*command, *["-q"] * quiet], env=environment, cwd=tmp_path) as terminal:
        assert terminal.end() == 0
    assert ("no photo has a label" in terminal.shown) is not quiet
    assert ("2/2" in terminal.shown) is not quiet
    assert terminal.shown.splitlines()[-1] == f"report  {tmp_path}/out/report.html"


@pytest.mark.long
def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(tmp_path: Path, environment: dict[str, str]) -> None:
    photos = tmp_path / "people"
    shutil.copytree(SAMPLE, photos)
    for number in range(1500):
        Image.new("RGB", (8, 8), (number % 256, 90, number // 256)).save(photos / f"{number}.png")
    command = [*MEANFACE, "run", "people", "--workers", "1"]
    with Terminal(command, env=environment, cwd=tmp_path) as terminal:
        until(lambda: list(tmp_path.glob("people-mean/ledger/*/*/*.parquet")))
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "stopped. Nothing is lost: the same command continues this run" in terminal.shown
    assert "Traceback" not in terminal.shown
    kept = {chunk: chunk.stat().st_mtime_ns for chunk in tmp_path.glob("people-mean/ledger/*/*/*.parquet")}
    assert kept
    with Terminal(command, env=environment, cwd=tmp_path) as terminal:
        assert terminal.end() == 0
    assert "photos  1,507 (" in terminal.shown
    assert {chunk: chunk.stat().st_mtime_ns for chunk in kept} == kept


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -D; "),
}


@pytest.mark.long
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_options_and_values(
    shell: str, tmp_path: Path, home: Path, environment: dict[str, str]
) -> None:
    """As docs/command-line.md turns it on, which writes to nobody's files."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command, before = SHELLS[shell]
    environment |= {"PS1": "$ ", "HISTFILE": ""}
    with Terminal(command, env=environment, cwd=tmp_path) as terminal:
        terminal.type(f'{before}eval "$(meanface --show-completion)" && echo completion is $((1 + 1))\n')
        terminal.wait_for("completion is 2")
        for typed, completed in (
            ("meanface ide", "meanface identify"),
            ("meanface run photos --follow", "meanface run photos --follow-links"),
            ("meanface run photos --faces lar", "meanface run photos --faces largest"),
        ):
            terminal.type(f"{typed}\t")
            terminal.wait_for(completed)
            terminal.type("\x15")  # empty the line
        terminal.type("exit\n")
        terminal.end()
    assert [path for path in home.rglob("*") if path.is_file()] == []
