"""Azurite, Microsoft's emulator of Azure Blob Storage (npm: azurite), and a container in it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's account and key, which its documentation names"""


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Run the server; the connection string of its account. Skips the test where something is not installed."""
    pytest.importorskip("adlfs", reason="adlfs is not installed: pip install 'meanface[azure]'")
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite-blob is not installed (npm install --global azurite)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    command = [program, *options, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = list[str]()
        for line in server.stdout:
            lines.append(line)
            if "successfully listens" in line:
                break
        else:
            pytest.fail(f"Azurite ended: {lines}")
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        yield f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        server.terminate()


@contextmanager
def photos_container(connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty container `photos`; its file system."""
    from adlfs import AzureBlobFileSystem

    for scheme in ("az", "abfs", "abfss"):
        monkeypatch.setitem(fsspec.config.conf, scheme, {"connection_string": connection})
    AzureBlobFileSystem.clear_instance_cache()
    fs = fsspec.filesystem("az", use_listings_cache=False)
    fs.mkdir("photos")
    yield fs
    fs.rm("photos", recursive=True)
    AzureBlobFileSystem.clear_instance_cache()


def put(fs: Any, name: str, data: bytes) -> None:
    """Write a blob under exactly this name, which adlfs would split at a question mark."""
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(fs.connection_string) as service:
        service.get_blob_client("photos", name).upload_blob(data, overwrite=True)
