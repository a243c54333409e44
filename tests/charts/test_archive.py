"""The released chart: its archive installs the released images, and a registry keeps its bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import helm_python as helm
import pytest

from laptop.services import unused_port
from polling import until
from publishing import chart, versions
from publishing.versions import ReleaseError

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "charts/meanface"
VERSION = versions.agreed(ROOT)
REGISTRY = "registry.example/team"
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chart.package(SOURCE, tmp_path_factory.mktemp("chart"), REGISTRY)


def test_an_archive_has_the_chart_and_nothing_of_its_tests(archive: Path) -> None:
    assert archive.name == f"meanface-{VERSION}.tgz"
    with tarfile.open(archive) as opened:
        names = {name.removeprefix("meanface/") for name in opened.getnames()}
    expected = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*") if path.is_file()}
    assert names == {name for name in expected if not name.startswith("ci/")}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "README.md"} <= names


def test_it_installs_the_released_images(archive: Path) -> None:
    chart.check(archive, VERSION, REGISTRY)
    with helm.Chart.load(archive) as loaded:
        assert loaded.values["imageRegistry"] == f"{REGISTRY}/"
        others = {"imageRegistry": "mirror.example/faces/", "stages": {"image": {"tag": "9.9.9"}}}
        rendered = "\n".join(loaded.render(others, name="meanface", namespace="faces").values())
    assert "mirror.example/faces/meanface:9.9.9" in rendered
    assert REGISTRY not in rendered


def test_packaging_changes_no_file_of_the_checkout(tmp_path: Path) -> None:
    before = (SOURCE / "values.yaml").read_bytes()
    chart.package(SOURCE, tmp_path, REGISTRY)
    assert (SOURCE / "values.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("version", "registry", "reason"),
    [("77.0.1", REGISTRY, "version and appVersion"), (VERSION, "other.example", "it installs")],
)
def test_an_archive_of_another_release_is_refused(archive: Path, version: str, registry: str, reason: str) -> None:
    with pytest.raises(ReleaseError, match=reason):
        chart.check(archive, version, registry)


def test_a_chart_whose_images_have_their_own_registry_is_refused(tmp_path: Path) -> None:
    copy = shutil.copytree(SOURCE, tmp_path / "meanface")
    values = copy / "values.yaml"
    values.write_text(values.read_text().replace("    repository: meanface\n", "    repository: of/team/meanface\n"))
    with pytest.raises(ReleaseError, match="it installs"):
        chart.check(chart.package(copy, tmp_path, REGISTRY), VERSION, REGISTRY)
    values.write_text(values.read_text().replace('imageRegistry: ""', "imageRegistry: x/"))
    with pytest.raises(ReleaseError, match="expected one line"):
        chart.package(copy, tmp_path, REGISTRY)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Debian's registry, the program of the image `registry:2`."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("no docker-registry (Debian: apt-get install docker-registry)")
    port = unused_port()
    config = tmp_path / "registry.yml"
    config.write_text(CONFIG.format(folder=tmp_path / "registry", port=port))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)

    def answers() -> bool:
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/v2/") as answer:
            return bool(answer.status == 200)
        return False

    try:
        until(answers, 30)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.long
def test_a_registry_has_the_pushed_archive_under_its_version(archive: Path, registry: str, tmp_path: Path) -> None:
    command = [ROOT / ".venvs/airflow/bin/python", ROOT / "scripts/prepare_release.py", "push-chart"]
    command += [archive, f"oci://{registry}/charts", "--plain-http"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest = done.stdout.strip()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    client = helm.RegistryClient(plain_http=True)
    assert client.tags(f"oci://{registry}/charts/meanface") == [VERSION]
    assert client.resolve(f"oci://{registry}/charts/meanface:{VERSION}")["digest"] == digest
    helm.pull(f"oci://{registry}/charts/meanface", version=VERSION, destination=tmp_path, plain_http=True)
    assert (tmp_path / archive.name).read_bytes() == archive.read_bytes()
