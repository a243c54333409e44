"""`helm test`: check that Airflow's components are healthy, and that Redis accepts the stages' user.

    helm_test.py [HOST:PORT]

Without an address of Airflow's API server only Redis is checked. Exit code 1 names what failed.
"""

import http.client
import json
import os
import sys
import time

from redis import Redis
from redis.exceptions import RedisError

DEADLINE = 60.0
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


def unhealthy(address):
    """What is not healthy; empty if all is."""
    server = http.client.HTTPConnection(address, timeout=10)
    try:
        server.request("GET", "/api/v2/monitor/health")
        health = json.loads(server.getresponse().read())
        found = {name: (health.get(name) or {}).get("status") for name in COMPONENTS}
        return ", ".join(f"{name} is {status}" for name, status in found.items() if status != "healthy")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"Airflow's API server at {address} does not respond: {error or type(error).__name__}"
    finally:
        server.close()


def refusal():
    """Why Redis refuses the stages' user; empty if it does not."""
    try:
        with Redis.from_url(os.environ["MEANFACE_REDIS_URL"], socket_timeout=10) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:
        return f"Redis: {type(error).__name__}: {error}; correct the URL in its Secret, or start the server"
    return ""


end = time.monotonic() + DEADLINE
while wrong := [each for each in (*map(unhealthy, sys.argv[1:]), refusal()) if each]:
    if time.monotonic() > end:
        sys.exit("\n".join(wrong))
    time.sleep(2)
sys.stdout.write("healthy\n")
