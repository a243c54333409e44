"""One namespace of the cluster in KUBECONFIG, through kubectl."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any


class KubectlError(Exception):
    """kubectl failed."""


@dataclass(frozen=True)
class Namespace:
    """A namespace, which may not exist yet."""

    name: str

    def kubectl(self, *words: object, stdin: bytes | None = None, seconds: float = 120, may_fail: bool = False) -> str:
        """Run kubectl; its output.

        Raises
        ------
        KubectlError
            with its error output
        """
        done = subprocess.run(self._command(words), check=False, input=stdin, capture_output=True, timeout=seconds)
        if done.returncode and not may_fail:
            raise KubectlError(f"kubectl {' '.join(map(str, words))[:200]}: {done.stderr.decode()[-2000:]}")
        return done.stdout.decode()

    def objects(self, kind: str, **labels: object) -> list[dict[str, Any]]:
        """Objects of a kind with these labels, named as in `app.kubernetes.io/...`, or by their own
        names.
        """
        wanted = ",".join(f"{_label(name)}={value}" for name, value in labels.items())
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "--selector", wanted, "-o", "json"))["items"]
        return found

    def pods(self, phase: str = "", **labels: object) -> list[str]:
        """Names of pods with these labels, in this phase."""
        found = self.objects("pods", **labels)
        return [pod["metadata"]["name"] for pod in found if phase in ("", pod["status"]["phase"])]

    def apply(self, manifest: dict[str, Any]) -> None:
        """Create or change an object."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest).encode())

    def run(self, pod: str, container: str, *command: str, stdin: bytes = b"", seconds: float = 120) -> str:
        """Run a command in a container; its output."""
        return self.kubectl("exec", "-i", pod, "-c", container, "--", *command, stdin=stdin, seconds=seconds)

    def kill(self, *pods: str) -> None:
        """Delete pods without a grace period."""
        self.kubectl("delete", "pod", *pods, "--grace-period=0", "--force", "--wait=false")

    def forward(self, target: str, port: int) -> Forward:
        """Forward a local port to a port of a pod or service."""
        return Forward(self._command(("port-forward", target, f":{port}")))

    def delete(self) -> None:
        """Delete the namespace with everything in it, and wait until it is gone."""
        self.kubectl("delete", "namespace", self.name, "--ignore-not-found", seconds=300)

    def _command(self, words: tuple[object, ...]) -> list[str]:
        return ["kubectl", "--namespace", self.name, *map(str, words)]


class Forward:
    """A running `kubectl port-forward`; it ends with its pod, and `port` then starts another."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The local port.

        Raises
        ------
        KubectlError
            if the pod or service does not exist
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
            )
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            found = re.search(r"Forwarding from 127\.0\.0\.1:(\d+)", line)
            if found is None:
                raise KubectlError(f"port-forward: {line}")
            self._port = int(found[1])
        return self._port

    def close(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _label(name: str) -> str:
    standard = ("name", "instance", "component")
    return f"app.kubernetes.io/{name}" if name in standard else name.replace("__", "/")
