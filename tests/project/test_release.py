"""A release: one version in all files, and archives that have what belongs into them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import meanface
from publishing import distributions, versions
from publishing.versions import ReleaseError

ROOT = Path(__file__).parents[2]
UV = ROOT / ".venvs/uv/bin/uv"
DATE = "2026-12-24"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copies of the files that state the version, and of the changelog."""
    for file in {versions.CHANGELOG, "embedding_image/README.md", *(place.file for place in versions.places(ROOT))}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    unreleased = f"{versions.UNRELEASED}\n### Added\n\n- A thing.\n\n"
    text = (tmp_path / versions.CHANGELOG).read_text()
    before, _, after = text.partition(versions.UNRELEASED)
    released = after[after.index("\n## [") + 1 :]
    (tmp_path / versions.CHANGELOG).write_text(before + unreleased + released)
    return tmp_path


def test_every_file_has_the_version_of_the_package() -> None:
    assert versions.agreed(ROOT) == meanface.__version__


def test_every_command_that_names_our_images_is_among_the_examples() -> None:
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], check=True, stdout=subprocess.PIPE, text=True).stdout
    files = [name for name in listed.splitlines() if not name.startswith("tests/") and name != versions.CHANGELOG]
    texts = {name: (ROOT / name).read_bytes().decode(errors="replace") for name in files if (ROOT / name).is_file()}
    named = {name for name, text in texts.items() if re.search(versions.TAGS, text)}
    assert named
    assert named <= {place.file for place in versions.places(ROOT)}


def test_a_bump_changes_every_place_and_dates_the_changelog(checkout: Path) -> None:
    before = [place.version for place in versions.places(checkout)]
    changed = versions.bump(checkout, "77.0.1", DATE)
    assert versions.agreed(checkout) == "77.0.1"
    assert [place.version for place in versions.places(checkout)] == ["77.0.1"] * len(before)
    assert set(changed) == {versions.CHANGELOG, *(place.file for place in versions.places(checkout))}
    text = (checkout / versions.CHANGELOG).read_text()
    assert f"{versions.UNRELEASED}\n## [77.0.1] - {DATE}\n" in text
    assert versions.notes(checkout, "77.0.1") == "### Added\n\n- A thing.\n"
    versions.check_tag(checkout, "v77.0.1")


def test_a_bump_keeps_the_lock_that_of_its_project(checkout: Path) -> None:
    versions.bump(checkout, "77.0.1", DATE)
    command = [UV, "lock", "--check", "--offline", "--project", checkout / "embedding_image"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("version", "reason"), [("0.1.9", "not newer"), ("1.0", "three numbers"), ("1.0.0rc1", "three numbers")]
)
def test_a_version_that_is_none_or_is_older_is_refused(checkout: Path, version: str, reason: str) -> None:
    with pytest.raises(ReleaseError, match=reason):
        versions.bump(checkout, version, DATE)


def test_the_current_version_cannot_be_released_again(checkout: Path) -> None:
    with pytest.raises(ReleaseError, match="not newer"):
        versions.bump(checkout, meanface.__version__, DATE)


def test_a_bump_without_changes_for_users_is_refused(checkout: Path) -> None:
    changelog = checkout / versions.CHANGELOG
    changelog.write_text(changelog.read_text().replace("### Added\n\n- A thing.\n", ""))
    with pytest.raises(ReleaseError, match="nothing under"):
        versions.bump(checkout, "77.0.1", DATE)


def test_a_file_that_disagrees_is_named_with_its_line(checkout: Path) -> None:
    chart = checkout / "charts/meanface/Chart.yaml"
    lines = chart.read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if line.startswith("version:"))
    lines[number - 1] = "version: 99.0.0"
    chart.write_text("\n".join(lines))
    with pytest.raises(ReleaseError, match=rf"charts/meanface/Chart\.yaml:{number} has 99\.0\.0"):
        versions.agreed(checkout)


def test_a_file_without_its_version_is_named(checkout: Path) -> None:
    (checkout / "plugins/meanface_airflow/__init__.py").write_text("")
    with pytest.raises(ReleaseError, match=r"plugins/meanface_airflow/__init__\.py: expected one version"):
        versions.agreed(checkout)


def test_a_tag_must_name_the_version_and_a_dated_section(checkout: Path) -> None:
    version = versions.agreed(checkout)
    versions.check_tag(checkout, f"v{version}")
    for wrong in ("v77.0.1", version):
        with pytest.raises(ReleaseError, match="the tag is"):
            versions.check_tag(checkout, wrong)
    changelog = checkout / versions.CHANGELOG
    changelog.write_text(changelog.read_text().replace(f"## [{version}] - ", f"## [{version}] "))
    with pytest.raises(ReleaseError, match="has no section"):
        versions.check_tag(checkout, f"v{version}")


def test_each_distribution_has_the_licence_of_the_repository() -> None:
    for each in distributions.DISTRIBUTIONS:
        assert (ROOT / each.folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_checks_of_metadata_are_pinned() -> None:
    assert re.fullmatch(r"twine==\d[\d.]+", distributions.TWINE)


def release(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [ROOT / ".venvs/airflow/bin/python", ROOT / "scripts/prepare_release.py", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_prints_the_version_and_refuses_another_tag() -> None:
    assert release("versions").stdout == f"{meanface.__version__}\n"
    done = release("versions", "--tag", "v77.0.1")
    assert done.returncode == 1
    assert done.stderr.startswith("release: the tag is v77.0.1")


def test_a_folder_without_distributions_is_refused(tmp_path: Path) -> None:
    done = release("check", tmp_path)
    assert done.returncode == 1
    assert "has no wheels and no sdists" in done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What the dry run has built, and what it printed."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    done = release("build", folder, "--registry", "registry.example/team")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_dry_run_builds_everything_and_prints_where_it_would_go(built: tuple[Path, str]) -> None:
    folder, printed = built
    version = meanface.__version__
    names = [file.name for file in sorted(folder.iterdir())]
    assert len(names) == 5
    assert {"meanface_airflow-%s-py3-none-any.whl", "meanface_airflow-%s.tar.gz"} <= {
        name.replace(version, "%s") for name in names
    }
    assert {f"meanface-{version}.tar.gz", f"meanface-{version}.tgz"} <= set(names)
    lines = printed[printed.index("A release pushes:") :].splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["PyPI"] * 4 + ["image"] * 2 + ["chart"]
    assert f"registry.example/team/meanface:{version} for amd64 and arm64" in printed
    assert f"oci://registry.example/team/charts/meanface:{version}" in printed
    again = release("build", folder)
    assert again.returncode == 1
    assert "is not empty" in again.stderr


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_sample_is_all_photos_that_are_published(built: tuple[Path, str]) -> None:
    photos = re.compile(r"\.(jpe?g|png|heic|heif|avif|webp|tiff?|bmp|gif)$", re.IGNORECASE)
    found = 0
    for file in distributions.distributions(built[0]):
        if file.suffix == ".whl":
            names = zipfile.ZipFile(file).namelist()
        else:
            with tarfile.open(file) as archive:
                names = archive.getnames()
        assert not [name for name in names if re.search(r"(^|/)(tests?/|test_|conftest)|\.pyc$", name)]
        pictures = [name for name in names if photos.search(name)]
        assert [name for name in pictures if "meanface/dataset/sample/photos/" not in name] == []
        found += len(pictures)
    assert found


def changed(file: Path, folder: Path, *, without: str = "", added: str = "") -> Path:
    """A copy of a wheel without a file, or with one more."""
    copy = folder / file.name
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            if not (without and re.search(without, name)):
                target.writestr(name, source.read(name))
        if added:
            target.writestr(added, b"x")
    return copy


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("stem", "change", "reason"),
    [
        ("meanface", {"added": "meanface/tests/test_it.py"}, "do not belong into it: meanface/tests/test_it.py"),
        ("meanface", {"added": "meanface/dataset/sample/photos/ada.jpg"}, "do not belong into it: .*ada.jpg"),
        ("meanface", {"without": r"_native.*\.so$"}, "no native extension"),
        ("meanface", {"without": r"astronaut\.jpg$"}, "missing: .*astronaut.jpg"),
        ("meanface", {"without": r"licenses/LICENSE$"}, "no licence"),
        ("meanface_airflow", {"without": r"static/run\.html$"}, "missing: .*run.html"),
        ("meanface_airflow", {"added": "meanface_airflow/__pycache__/dag.pyc"}, "do not belong into it"),
    ],
)
def test_a_wheel_with_too_much_or_too_little_is_refused(
    built: tuple[Path, str], tmp_path: Path, stem: str, change: dict[str, str], reason: str
) -> None:
    (wheel,) = built[0].glob(f"{stem}-*.whl")
    distributions.check_contents(ROOT, wheel, meanface.__version__)
    with pytest.raises(ReleaseError, match=reason):
        distributions.check_contents(ROOT, changed(wheel, tmp_path, **change), meanface.__version__)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_file_of_another_version_or_project_is_refused(built: tuple[Path, str], tmp_path: Path) -> None:
    for file in distributions.distributions(built[0]):
        with pytest.raises(ReleaseError, match=r"expected meanface(-airflow)? 77\.0\.1"):
            distributions.check_contents(ROOT, file, "77.0.1")
    other = tmp_path / "numpy-2.3.0-py3-none-any.whl"
    other.touch()
    with pytest.raises(ReleaseError, match="no distribution of this repository"):
        distributions.check_contents(ROOT, other, meanface.__version__)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_built_wheel_has_the_working_extension(built: tuple[Path, str], tmp_path: Path) -> None:
    (wheel,) = built[0].glob("meanface-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "import meanface.embedder._native as native; print(native.__file__)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
