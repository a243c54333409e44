"""Airflow's side of meanface: it runs the stages and reads the records that they leave in Redis.

The package never imports `meanface`. It knows only the stages' command line and their JSON records,
so any Airflow with the package `redis` can host it.

Modules
-------
settings
    the deployment's settings, read from the environment in one place
params
    the DAG's params and the trigger form, one param for each option of `meanface plan`
arguments
    pure: the command line of a stage
runtime
    chooses the operator that runs a stage: a pod or a local process
pod, process
    the two operators
process_group
    a child process in a separate process group
errors
    how a task fails, and when it is retried
connection
    the Airflow connection `meanface_redis`, as a URL
records
    a run's records in Redis: manifest, progress, result
tasks
    the DAG's two light tasks
plugin, links, page
    the progress page in Airflow's UI, and the links to it
"""
