"""The chart as an archive for an OCI registry: package it for the released images, check it, push it."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import helm_python as helm

from publishing.versions import ReleaseError

NO_REGISTRY = '\nimageRegistry: ""\n'
OUR_IMAGES = ("meanface", "meanface-airflow")


def package(source: Path, folder: Path, registry: str) -> Path:
    """Package the chart; `registry` becomes the default of its value `imageRegistry`."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / source.name
        shutil.copytree(source, copy)
        values = copy / "values.yaml"
        text = values.read_text()
        if text.count(NO_REGISTRY) != 1:
            raise ReleaseError(f"{source}/values.yaml: expected one line {NO_REGISTRY.strip()}")
        values.write_text(text.replace(NO_REGISTRY, f"\nimageRegistry: {registry}/\n"))
        return Path(helm.package(copy, destination=folder))


def check(archive: Path, version: str, registry: str) -> None:
    """Check an archive: Helm's linter, its version, and the images that it installs by default."""
    report = helm.lint(archive, strict=True)
    if report["errors"]:
        raise ReleaseError(f"{archive.name}: {'; '.join(report['errors'])}")
    with helm.Chart.load(archive) as chart:
        found = (chart.name, chart.version, chart.metadata.get("appVersion"))
        if found != ("meanface", version, version):
            raise ReleaseError(f"{archive.name}: chart, version and appVersion are {found}, expected {version}")
        if surplus := [file["name"] for file in chart.files if re.match(r"(ci|tests)/", file["name"])]:
            raise ReleaseError(f"{archive.name}: these files do not belong into it: {', '.join(surplus)}")
        rendered = "\n".join(chart.render({}, name="meanface", namespace="faces").values())
    expected = {f"{registry}/{name}:{version}" for name in OUR_IMAGES}
    images = set(re.findall(r"[^\s\"'=]*\bmeanface(?:-airflow)?:[\w.-]+", rendered))
    if images != expected:
        raise ReleaseError(f"{archive.name}: it installs {sorted(images)}, expected {sorted(expected)}")


def push(archive: Path, remote: str, *, plain_http: bool = False) -> str:
    """Push an archive to `oci://HOST/PATH`, as the user whom `docker login` signed in; the digest of its manifest."""
    login = Path.home() / ".docker/config.json"
    with (
        helm.Chart.load(archive) as chart,
        helm.RegistryClient(plain_http=plain_http, credentials_file=login) as client,
    ):
        client.push(archive, remote, plain_http=plain_http)
        return str(client.resolve(f"{remote}/{chart.name}:{chart.version}")["digest"])
