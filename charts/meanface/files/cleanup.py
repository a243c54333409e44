"""Delete the stages' pods of a release, after its Airflow, which creates them, is gone.

Usage: cleanup.py NAMESPACE RELEASE
"""

import http.client
import json
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEADLINE = 240.0

namespace, release = sys.argv[1:]
pods = f"/api/v1/namespaces/{namespace}/pods"
trusted = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"}


def request(method: str, path: str) -> dict:
    """Send a request to the API server; a pod that is gone already counts as deleted."""
    server = http.client.HTTPSConnection("kubernetes.default.svc", context=trusted, timeout=30)
    server.request(method, path, headers=headers)
    response = server.getresponse()
    text = response.read()
    server.close()
    if response.status not in (200, 202, 404):
        sys.exit(f"{method} {path}: {response.status} {text.decode()}")
    return json.loads(text)


def names(component: str) -> list:
    """Names of the release's pods of one or more components."""
    selector = f"app.kubernetes.io/name=meanface,app.kubernetes.io/instance={release}"
    query = urlencode({"labelSelector": f"{selector},app.kubernetes.io/component in ({component})"})
    return [pod["metadata"]["name"] for pod in request("GET", f"{pods}?{query}")["items"]]


end = time.monotonic() + DEADLINE
while names("airflow") and time.monotonic() < end:
    time.sleep(1)
while (left := names("plan,embed,reduce")) and time.monotonic() < end:
    for name in left:
        request("DELETE", f"{pods}/{name}")
    time.sleep(1)
if left:
    sys.exit(f"these pods could not be deleted within {DEADLINE:.0f} s: {', '.join(left)}; delete them with kubectl")
