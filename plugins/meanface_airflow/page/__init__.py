"""The progress page: the DAG's runs in a browser, from Redis and Airflow's database.

Modules
-------
app
    routes, permissions, and HTTP headers
assets
    the page's own files, served from memory
runs
    runs and task instances, from Airflow's database
source
    commands to Redis in one round trip, with a pause after a failure
models
    a run's records in Redis, validated and escaped
partitions
    pure: the state of each partition, and totals over all of them
views
    the JSON responses: all runs, one run, its failures, its result
files
    a run's report and other files, if the API server can read them
"""
