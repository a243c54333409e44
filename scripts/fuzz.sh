#!/usr/bin/env bash
# `make fuzz`: give hostile inputs to all parsers, or to one (TARGET); SEED, FIRST, COUNT and JOBS choose them.
# Targets of the plugin (`plugin....`) run in Airflow's environment, all others in the distribution's.
set -euo pipefail
cd "$(dirname "$0")/.."
options=()
for name in TARGET SEED FIRST COUNT JOBS; do
  if [ -n "${!name:-}" ]; then options+=("--${name,,}" ${!name}); fi
done
case "${TARGET:-}" in plugin.*) ;; *) PYTHONPATH=tests .venvs/meanface/bin/python -m fuzz "${options[@]}" ;; esac
case "${TARGET:-plugin.}" in plugin.*) PYTHONPATH=tests:plugins .venvs/airflow/bin/python -m fuzz "${options[@]}" ;; esac
