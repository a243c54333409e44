"""Create the two environments, .venvs/airflow and .venvs/meanface, and check the models.

    python3.11 scripts/set_up.py [uv]

Each environment has the packages of a `uv.lock`: Airflow's of the one at the top, the other of the one in
embedding_image. If nothing has changed, this takes a second and prints nothing. With `uv`, only uv itself is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from patiently import patiently

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venvs/uv/bin/uv"
AIRFLOW = ROOT / ".venvs/airflow"
STAGES = ROOT / ".venvs/meanface"
PROJECTS = {AIRFLOW: ROOT, STAGES: ROOT / "embedding_image"}

NO_NATIVE_CODE = (
    "faces will be found and embedded by dlib's own code, several times slower. The native code needs a C++17 "
    "compiler (on Debian: apt-get install g++); then 'touch embedding_image/pyproject.toml' and 'make setup'"
)


class SetUpFailed(Exception):
    """Set-up cannot continue; the message names what is missing."""


def install_uv() -> None:
    """Install the pinned version of uv into its own environment."""
    pins = ROOT / "requirements-uv.txt"
    pinned = re.findall(r"(?m)^uv==(\S+)", pins.read_text())
    if UV.exists():
        version = subprocess.run([UV, "--version"], capture_output=True, text=True, check=False).stdout
        if version.split()[1:2] == pinned:
            return
    folder = UV.parents[1]
    if patiently("set-up", sys.executable, "-m", "venv", "--clear", folder):
        raise SetUpFailed(f"'{sys.executable} -m venv' failed; on Debian: apt-get install python3-venv")
    pip: list[str | Path] = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if patiently("set-up", *pip, "--require-hashes", "-r", pins):
        raise SetUpFailed("uv could not be installed from the package index; check the network connection")


def sync(environment: Path, *options: str) -> list[str | Path]:
    """The command that installs exactly the packages of the lock, with those of all extras."""
    project = PROJECTS[environment]
    return [UV, "sync", "--locked", "--all-extras", "--python", sys.executable, "--project", project, *options]


def variables(environment: Path) -> dict[str, str]:
    """Environment variables for uv."""
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    default = {"UV_LINK_MODE": "copy", "UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    return default | inherited | {"UV_PROJECT_ENVIRONMENT": str(environment)}


def unfinished(environment: Path) -> Path:
    """Path of a file that exists while an environment is filled, and stays if that is interrupted."""
    return environment.with_suffix(".unfinished")


def stale() -> list[Path]:
    """Environments that do not match their lock, project or native sources, or are only half filled."""
    checks = {
        each: subprocess.Popen(
            sync(each, "--check", "--offline", "--quiet"), env=variables(each), stderr=subprocess.DEVNULL
        )
        for each in PROJECTS
    }
    return [each for each, check in checks.items() if check.wait() or unfinished(each).exists()]


def install(environment: Path) -> None:
    """Install the packages of the lock into an environment."""
    print(f"set-up: {environment}", flush=True)
    if unfinished(environment).exists():  # uv considers a half-copied package installed
        shutil.rmtree(environment, ignore_errors=True)
    unfinished(environment).touch()
    code = patiently("set-up", *sync(environment, "--quiet"), env=variables(environment))
    if code >= 0:  # uv ended by itself
        unfinished(environment).unlink()
    if code:
        project = PROJECTS[environment]
        check: list[str | Path] = [UV, "lock", "--check", "--offline", "--quiet", "--project", project]
        if subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode:
            raise SetUpFailed(f"{project / 'uv.lock'} does not match the pyproject.toml beside it: run 'make lock'")
        raise SetUpFailed(f"{environment} could not be filled, see above; check the network connection")


def link_command() -> None:
    """Put this checkout's command `airflow`, which knows the local Airflow, in the place of Airflow's own."""
    command = AIRFLOW / "bin/airflow"
    if not command.is_symlink():
        command.unlink(missing_ok=True)
        command.symlink_to("../../../scripts/bin/airflow")


def prepare_models() -> None:
    """Check dlib's models and derive the detector's weights; warn if the native code is missing."""
    if not list(STAGES.glob("lib/python*/site-packages/meanface/**/_native*")):
        print(f"set-up: {NO_NATIVE_CODE}", flush=True)
    subprocess.run([STAGES / "bin/python", "-m", "compileall", "-q", ROOT / "embedding_image/src"], check=False)
    if patiently("set-up", STAGES / "bin/meanface", "model"):
        raise SetUpFailed("dlib's models could not be prepared, see above")


def main() -> int:
    """Exit code of the command."""
    try:
        install_uv()
        if "uv" in sys.argv[1:]:
            return 0
        for environment in stale():
            install(environment)
            if environment == STAGES:
                prepare_models()
        link_command()
    except SetUpFailed as failed:
        print(f"set-up: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
