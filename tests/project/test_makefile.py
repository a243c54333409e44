"""make passes on to Airflow what it finds in the environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_deployments_settings_are_left_alone(tmp_path: Path) -> None:
    """A variable of the Makefile would take the place of one that is inherited."""
    settings = ROOT / "plugins/meanface_airflow/settings.py"
    names = [line.split(":")[0].strip() for line in settings.read_text().splitlines() if line.startswith("    ")]
    given = {f"MEANFACE_{name.upper()}": "as given" for name in names if name.isidentifier()}
    assert "MEANFACE_ENV" in given
    makefile = tmp_path / "makefile"
    makefile.write_text(f"include {ROOT}/Makefile\nshow:\n\t@env\n")
    command = ["make", "--no-print-directory", "-C", str(ROOT), "-f", str(makefile), "show"]
    shown = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=True).stdout
    assert {f"{name}=as given" for name in given} <= set(shown.splitlines())
