"""The quickstart's pod for the storage complies with Pod Security `restricted`."""

from __future__ import annotations

import json
import re

from .conftest import CHARTS


def test_the_storage_pod_is_restricted(render):
    text = (CHARTS.parent / "docs/quickstart.md").read_text()
    (overrides,) = re.findall(r"--overrides '(\{.*?\})'", text, re.DOTALL)
    spec = json.loads(overrides)["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    (volume,) = spec["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == "meanface-storage"
