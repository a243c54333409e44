"""Airflow, PostgreSQL and Valkey for one person on one machine, started from this checkout and stopped without a trace.

Modules
-------
cli
    the commands, the lock, the signals
params
    a run's params from options, checked before anything starts
home
    where everything is kept, and its secrets
waiting
    the only way in which anything here waits, so that Ctrl-C is heard everywhere and between two steps
sessions
    programs with everything they start, whatever it calls itself
services
    what runs: noted, found again, restarted, stopped
starting
    the start, until the DAG can be triggered
components
    how each of these programs is started, and asked to end
database
    PostgreSQL's folder, socket and commands
environment
    pure: Airflow's settings
api
    Airflow's REST API
watch
    starts components again that have ended
run
    a DAG run, from trigger to result
progress
    pure: the line that people watch
"""
