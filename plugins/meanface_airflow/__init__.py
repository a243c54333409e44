"""Airflow's side of meanface: runs the stages, reads what they leave in Redis.

The package never imports `meanface`: it knows the command line of the stages and the JSON records in Redis, so that a
stock Airflow with the `redis` package can host it.

Modules
-------
settings
    the deployment's settings, read from the environment in one place
params
    the trigger form: one Airflow param per option of `meanface plan`
arguments
    pure: the command line of a stage
runtime
    the operator that runs a stage: a pod or a local process
pod, process
    the two operators
group
    a child process with its own process group
exits
    what an exit code means for a task
connection
    the Airflow connection `meanface_redis`, as a URL
records
    what a run leaves in Redis: manifest, progress, result
tasks
    the two light tasks of the DAG
plugin, links, page
    the progress page in Airflow's UI, and the ways to it
"""
