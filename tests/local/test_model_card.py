"""A run of the DAG with a model card has the bits of `meanface run`."""

import json
import os
import subprocess

import pytest
from machine import CHECKOUT, Laptop

STAGES = CHECKOUT / ".venvs/meanface/bin"
MAKE = "import sys; from pathlib import Path; from tiny_models import card; card(Path(sys.argv[1]))"


@pytest.mark.long
def test_the_dags_mean_is_that_of_the_command_line(tmp_path):
    """In 512 dimensions; the card is named by its path, which every stage reads."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
    subprocess.run([STAGES / "python", "-c", MAKE, tmp_path], check=True, env=environment)
    embedder = f"--embedder={tmp_path / 'tiny.toml'}"
    laptop = Laptop(tmp_path / "home")
    try:
        done = laptop.do("run", embedder, "--partition-size=6")
        assert done.returncode == 0, done.stderr
    finally:
        assert laptop.do("down").returncode == 0
    (path,) = (laptop.home / "storage/runs").glob("*/result.json")
    through_the_dag = json.loads(path.read_text())
    assert through_the_dag["partitions"]["total"] > 1
    command = [STAGES / "meanface", "run", "sample", embedder, f"--output={tmp_path / 'out'}", "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    alone = json.loads((tmp_path / "out/result.json").read_text())
    assert len(alone["mean"]) == 512
    for name in ("mean", "standard_error", "fingerprint", "faces"):
        assert through_the_dag[name] == alone[name]
