"""Airflow, PostgreSQL and Valkey for one person on one machine, started from this checkout and stopped without a trace.

Modules
-------
cli
    the three commands, the lock, the signals
home
    where everything is kept, and its secrets
waiting
    the only way in which anything here waits, so that Ctrl-C is heard everywhere and between two steps
sessions
    programs with everything they start, whatever it calls itself
services
    PostgreSQL, Valkey and Airflow's four components: started, found again, stopped
components
    how each of these programs is started, and asked to end
database
    PostgreSQL's folder, socket and commands
environment
    pure: Airflow's settings
api
    Airflow's REST API
run
    a DAG run, from trigger to result
progress
    pure: the line that people watch
"""
