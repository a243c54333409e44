"""Photos in the cluster's storage, a local run over them, and a pod with the storage."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from kubectl import Namespace

from polling import until

CHECKOUT = Path(__file__).parents[2]
MEANFACE = CHECKOUT / ".venvs" / "meanface" / "bin" / "meanface"
SAMPLE = CHECKOUT / "embedding_image" / "src" / "meanface" / "dataset" / "sample" / "photos"

LEDGER = """
import collections, json, sys
from pathlib import Path
from meanface.ledger.chunk import Chunk
from meanface.stats.moments import Moments
moments, outcomes, positions = Moments.zero(), collections.Counter(), []
for path in sorted(Path(sys.argv[1], "ledger").glob("*/*/*.parquet")):
    chunk = Chunk.from_parquet(path.read_bytes())
    moments += Moments.of(chunk.embeddings())
    outcomes += chunk.outcomes()
    positions += chunk.photos()["position"].to_pylist()
whole = sorted(positions) == list(range(len(positions)))
counts = {outcome.value: count for outcome, count in outcomes.items()}
print(json.dumps({"photos": len(positions), "whole": whole, "outcomes": counts, "mean": moments.mean().tolist()}))
"""
"""Reads a run's ledger: number of photos, whether each occurs once, outcomes, and the mean."""


class Desk:
    """A pod with the embedding image and the storage claim, which waits for programs to run.

    It is on the node of this name, or where Kubernetes puts it.
    """

    def __init__(self, namespace: Namespace, node: str | None = None) -> None:
        self._namespace = namespace
        settings = json.loads(namespace.kubectl("get", "configmap", "meanface", "-o", "json"))["data"]
        container = {
            "name": "desk",
            "image": settings["MEANFACE_IMAGE"],
            "imagePullPolicy": settings["MEANFACE_IMAGE_PULL_POLICY"],
            "command": ["python", "-c", "import threading; threading.Event().wait()"],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "storage", "mountPath": "/storage"}],
        }
        claim = {"claimName": settings["MEANFACE_STORAGE_CLAIM"]}
        spec = {
            "terminationGracePeriodSeconds": 0,
            "affinity": json.loads(settings["MEANFACE_AFFINITY"]),
            "nodeName": node,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "storage", "persistentVolumeClaim": claim}],
        }
        namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "desk"}, "spec": spec})
        until(lambda: self._namespace.kubectl("get", "pod", "desk", "-o", "jsonpath={.status.phase}") == "Running", 120)

    def python(self, code: str, *arguments: str, stdin: bytes = b"") -> str:
        """Run a program with access to the storage; its output."""
        return self._namespace.run("desk", "desk", "python", "-c", code, *arguments, stdin=stdin, seconds=300)

    def put(self, path: str, data: bytes) -> str:
        """Write a file; its path."""
        code = (
            "import pathlib, sys; path = pathlib.Path(sys.argv[1]); path.parent.mkdir(parents=True, exist_ok=True); "
            "path.write_bytes(sys.stdin.buffer.read())"
        )
        self.python(code, path, stdin=data)
        return path

    def put_portraits(self, count: int, folder: Path) -> str:
        """Write an archive of so many of the sample's photos, which is made in a folder here; its path."""
        archive = archive_of(portraits(), count, folder / "portraits.tar")
        return self.put("/storage/datasets/portraits.tar", archive.read_bytes())

    def unpack(self, path: str, tar: bytes) -> str:
        """Write the files of a tar into a folder; its path."""
        archive = "tarfile.open(fileobj=sys.stdin.buffer, mode='r|')"
        code = f"import sys, tarfile; {archive}.extractall(sys.argv[1])"
        self.python(code, path, stdin=tar)
        return path

    def ledger(self, run: str) -> dict[str, Any]:
        """Read a run's ledger."""
        found: dict[str, Any] = json.loads(self.python(LEDGER, f"/storage/runs/{run}"))
        return found


def here(dataset: Path, output: Path, *options: str) -> dict[str, Any]:
    """The result of `meanface run` on this machine."""
    command = [MEANFACE, "run", dataset, "--output", output, *options]
    subprocess.run(command, check=True, capture_output=True)
    result: dict[str, Any] = json.loads((output / "result.json").read_text())
    return result


def portraits() -> list[Path]:
    """The sample's photos."""
    return sorted(path for path in SAMPLE.rglob("*") if path.is_file())


def archive_of(photos: list[Path], count: int, path: Path) -> Path:
    """A tar of so many photos, by number; they repeat."""
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            photo = photos[number % len(photos)]
            tar.add(photo, f"{number:05}{photo.suffix}")
    return path
