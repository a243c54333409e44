"""Check that a component has sent a heartbeat recently; the exit code is 0 or 1.

    heartbeat.py HOST:PORT COMPONENT [--lenient]

`airflow jobs check` does the same, but takes seconds of CPU time. With `--lenient` the check passes
if the API server does not respond, or cannot read its database: its failures must not restart other
components.
"""

import http.client
import json
import sys


def status(component: str) -> str:
    """A component's status from the API server, or `unknown`."""
    server = http.client.HTTPConnection(address, timeout=8)
    try:
        server.request("GET", "/api/v2/monitor/health")
        health = json.loads(server.getresponse().read())
        if health["metadatabase"]["status"] != "healthy":
            return "unknown"
        return health[component]["status"] or "absent"
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return "unknown"
    finally:
        server.close()


address, component, *options = sys.argv[1:]
found = status(component)
if found != "healthy" and not (found == "unknown" and "--lenient" in options):
    sys.exit(f"{component} is {found}")
