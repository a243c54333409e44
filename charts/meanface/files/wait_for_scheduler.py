"""Wait until the scheduler of this pod has ended, at most SECONDS.

Usage: wait_for_scheduler.py SECONDS

Kubernetes sends SIGTERM to all containers of a pod at once. The scheduler then lets its running
tasks finish, and they report to the API server. A task that cannot report loses an attempt.
"""

import socket
import sys
import time

end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        socket.create_connection(("localhost", 8974), timeout=2).close()
    except OSError:
        break
    time.sleep(0.2)
