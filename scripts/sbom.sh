#!/usr/bin/env bash
# `make sbom`: list the contents of the two images as CycloneDX in .local. Python packages are those of the locks;
# the interpreter and Debian's packages are read from the images, which `make images` has built.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' embedding_image/pyproject.toml)
mkdir -p .local

write() { # image, its requirements file
  local sbom=.local/sbom-$1.cdx.json
  .venvs/uv/bin/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements "$2" -o "$sbom"
  .venvs/meanface/bin/python scripts/image_sbom.py "$sbom" "${IMAGE_REGISTRY:-}$1:${IMAGE_TAG:-$version}"
}
write meanface embedding_image/requirements.txt
write meanface-airflow requirements.txt
