"""Wait until the API server responds, then run another program.

Usage: wait_for_api.py HOST:PORT PROGRAM [ARGUMENT...]

The scheduler's tasks report to the API server when they start. Tasks that start before it responds
fail and use up their retries.
"""

import http.client
import os
import signal
import sys
import time


def responds():
    """Whether the API server responds."""
    server = http.client.HTTPConnection(address, timeout=8)
    try:
        server.request("GET", "/api/v2/version")
        return server.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()


address, *program = sys.argv[1:]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 of a container has no default handler
while not responds():
    time.sleep(0.5)
os.execvp(program[0], program)  # noqa: S606 - the chart's own command
