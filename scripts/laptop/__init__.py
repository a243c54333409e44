"""Run Airflow, PostgreSQL and Valkey from this checkout; stopping leaves no process.

Modules
-------
cli
    the commands
params
    a run's params from command-line options, validated before anything starts
home
    the folder for all files, its lock and its secrets
waiting
    signals and waiting; Ctrl-C ends every wait
sessions
    starting programs, and stopping them with all their child processes
services
    the running components, saved in a file: found again, restarted, stopped
startup
    starting everything, until the DAG can be triggered
components
    the command and the stop signal of each component
database
    PostgreSQL's folder, socket and commands
environment
    pure: Airflow's settings
api
    a client of Airflow's REST API
watch
    restarting components that have ended
run
    a DAG run, from trigger to result
progress
    pure: the progress line
"""
