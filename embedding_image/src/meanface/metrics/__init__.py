"""Metrics for Prometheus, computed from the records of all runs in Redis.

Stages live too briefly to be scraped. So they leave records in Redis, and one exporter reads them.

Modules
-------
totals
    pure: sums over runs that only grow, whatever restarts or expires
records
    the records of runs as the exporter reads them: lenient, untrusted
reader
    a run's records in Redis, and what they add up to
collector
    the metrics, with their names and labels
server
    the HTTP endpoint, with a bearer token
"""
