#!/usr/bin/env bash
# `make audit`: ask PyPI for known vulnerabilities of every pinned package, and apply checkov's rules to the chart
# and the images.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venvs/uv/bin/uv
mkdir -p .local/audit
for project in . embedding_image; do # the complete locks: packages of images, tests and set-up
  $uv export --frozen --quiet --all-groups --no-emit-project --project $project -o ".local/audit/${project/./root}.txt"
done
for lock in .local/audit/{root,embedding_image}.txt benchmarks/*.txt; do
  echo "pip-audit $lock"
  $uv tool run pip-audit==2.10.1 --strict --disable-pip --no-deps --require-hashes -r "$lock"
done

.venvs/airflow/bin/python scripts/render_chart.py .local/chart
checkov() { $uv tool run checkov==3.3.30 --config-file .checkov.yaml --framework "$1" --directory "$2"; }
checkov kubernetes .local/chart
checkov dockerfile embedding_image
checkov dockerfile airflow_image
