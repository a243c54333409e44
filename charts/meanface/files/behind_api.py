"""Waits until the API server answers, and becomes another program: `behind_api.py PROGRAM [ARGUMENT...]`.

The scheduler's tasks report to the API server when they begin. Those that begin before it answers fail, and use up
their retries.
"""

import http.client
import os
import signal
import sys
import time


def answers():
    """Whether the API server answers."""
    server = http.client.HTTPConnection("localhost", 8080, timeout=8)
    try:
        server.request("GET", "/api/v2/version")
        return server.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a container's first process has no default
while not answers():
    time.sleep(0.5)
os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - what the chart names
