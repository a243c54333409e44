"""The progress page: what Redis and Airflow's database know of the DAG's runs, in a browser.

Modules
-------
app
    the routes, who may use them, and the headers of every answer
assets
    the files that a browser loads, served from memory
runs
    runs and task instances, from Airflow's database
source
    Redis, asked in a bounded number of round trips; away for a moment after it did not answer
checked
    a run's records in Redis, none of them believed before it is checked
partitions
    pure: what state a partition is in, and what all of them add up to
views
    the answers: all runs, one run, its failures, its result
files
    a run's report and the files beside it, where the API server can read them
"""
