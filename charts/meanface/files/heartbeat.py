"""Whether the API server has heard of a component lately: exit code 0 or 1.

    heartbeat.py COMPONENT [--lenient]

`airflow jobs check` takes seconds of a CPU for the same answer. With `--lenient` an API server that does not answer, or
has no database to read from, is no evidence against the component: its failures restart itself, not its neighbours.
"""

import http.client
import json
import sys


def status(component: str) -> str:
    """What the API server says of a component; `unknown` where it says nothing."""
    server = http.client.HTTPConnection("localhost", 8080, timeout=8)
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


component, *options = sys.argv[1:]
found = status(component)
if found != "healthy" and not (found == "unknown" and "--lenient" in options):
    sys.exit(f"{component} is {found}")
