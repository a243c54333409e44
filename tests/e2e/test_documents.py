"""The documented commands work on the installed chart."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from photos import CHECKOUT, here
from release import MASTER, Release

from laptop.services import unused_port
from polling import until

Shell = Callable[[str], str]


def commands(document: str, heading: str) -> list[str]:
    """The indented blocks of a section."""
    text = (CHECKOUT / "docs" / document).read_text()
    section = re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)]


@pytest.fixture
def shell(release: Release, tmp_path: Path) -> Iterator[Shell]:
    """Runs commands in one shell in the release's namespace; variables and forwards are kept."""
    config = tmp_path / "kubeconfig"
    config.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    environment = os.environ | {"KUBECONFIG": str(config)}
    choose = ["kubectl", "config", "set-context", "--current", "--namespace", release.namespace.name]
    subprocess.run(choose, env=environment, check=True, capture_output=True)
    before: list[str] = []
    forwards: list[subprocess.Popen[str]] = []
    port = str(unused_port())

    def run(block: str) -> str:
        lines = block.replace("localhost:8080", f"localhost:{port}").replace("-airflow 8080", f"-airflow {port}:8080")
        for forward in re.findall(r"(?m)^(kubectl port-forward .*) &$", lines):
            forwards.append(
                subprocess.Popen(forward.split(), env=environment, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
            )
            assert "Forwarding" in forwards[-1].stdout.readline()
        lines = re.sub(r"(?m)^kubectl port-forward .*$", "", lines)
        script = "\n".join(["set -euo pipefail", *before, lines])
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, f"{lines}\n{done.stderr}"
        before.extend(re.findall(r"(?m)^[A-Z]+=\$\(kubectl .*?\)(?=;|$)", lines))
        return done.stdout

    yield run
    for forward in forwards:
        forward.kill()
        forward.communicate()


def test_the_quickstarts_three_ways(release: Release, shell: Shell, tmp_path: Path) -> None:
    way, trigger, backfill, read = commands("quickstart.md", "3. Trigger, backfill, read")
    assert shell(way).strip() == release.password
    assert "first" in shell(trigger)
    release.succeeded("first")
    days = [f"2026-02-0{number}" for number in (1, 2, 3)]
    assert re.search(r"backfill__2026-02-0[234]", shell(backfill))
    assert set(release.finished_days(days).values()) == {"success"}
    answer = json.loads(shell(read))
    mean = answer["value"]
    mean = json.loads(mean) if isinstance(mean, str) else mean
    assert mean == here(Path("sample"), tmp_path / "here")["mean"]


def test_a_dump_of_the_database_is_restored_into_a_new_one(release: Release, shell: Shell) -> None:
    run = release.trigger(dataset="sample")
    mean = release.succeeded(run)
    dump, restore = commands("operations.md", "Backup")
    shell(dump)
    stop = re.match(r"(?:.*(?:&&|\\)\n)*.*\n", restore)[0]
    shell(stop)
    claim = "data-meanface-postgresql-0"
    release.namespace.kubectl("delete", "pvc", claim, "--wait=false")
    release.namespace.kubectl("delete", "pod", "meanface-postgresql-0")

    def is_new() -> bool:
        log = release.namespace.kubectl("logs", "meanface-postgresql-0", may_fail=True)
        return "creating subdirectories" in log and log.rstrip().endswith("ready to accept connections")

    until(is_new, 180, every=1)
    shell(restore.removeprefix(stop))
    release.close()
    release.until_ready()
    assert release.succeeded(run) == mean
    assert MASTER in release.namespace.pods("Running")
