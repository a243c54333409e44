#!/usr/bin/env bash
# `make clean`: stop Airflow, then remove the environments and all files of runs. If there are results, it asks
# first, unless CONFIRM=yes. It needs no environment: users may clean because an environment is broken.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venvs/airflow/bin/python
there=()
for folder in .venvs .local .cache; do if [ -e "$folder" ]; then there+=("$folder"); fi; done
if [ "${#there[@]}" = 0 ]; then echo "make clean: there is nothing to remove"; exit 0; fi
echo "make clean removes ${there[*]}"

if [ "${CONFIRM:-}" != yes ] && [ -n "$(ls -A .local/storage 2>/dev/null)" ]; then
  shopt -s nullglob
  runs=(.local/storage/runs/*)
  echo ".local/storage has results (runs: ${#runs[@]})"
  answer=
  if [ -t 0 ]; then read -r -p "remove all of it? [yes/no] " answer; fi
  if [ "$answer" != yes ]; then
    echo "make clean: nothing was removed; 'make clean CONFIRM=yes' removes it without asking" >&2
    exit 1
  fi
fi

if [ -x "$python" ]; then echo "stopping Airflow"; fi
if "$python" scripts/local.py --help >/dev/null 2>&1; then
  "$python" scripts/local.py down
elif [ -e .local/services.json ]; then
  echo "make clean: Airflow may be up, but .venvs/airflow is broken: run 'rm -rf .venvs', 'make setup', and" \
    "'make clean' again; or stop it, and remove .local/services.json" >&2
  exit 1
fi
echo "removing ${there[*]}"
rm -rf "${there[@]}"
