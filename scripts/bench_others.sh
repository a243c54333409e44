#!/usr/bin/env bash
# `make bench-others`: install the programs that `make bench` compares with, each in its own environment: DeepFace, and
# dlib built from source with the installed BLAS (Debian: cmake libopenblas-dev).
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venvs/uv/bin/uv
for name in deepface openblas; do
  environment=.cache/bench/$name
  echo "bench-others: $environment"
  $uv venv --quiet --allow-existing --python "${PYTHON:-python3.11}" "$environment"
  .venvs/meanface/bin/python scripts/patiently.py bench-others \
    $uv pip sync --quiet --require-hashes --python "$environment/bin/python" "benchmarks/$name.txt"
  mkdir -p "$environment/.deepface/weights" # DeepFace looks here before it downloads
  cp "$environment"/lib/python*/site-packages/face_recognition_models/models/*.dat "$environment/.deepface/weights"
  touch "$environment/.ready"
done
