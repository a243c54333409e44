#!/usr/bin/env bash
# `make images`: build [IMAGE_REGISTRY/]meanface:IMAGE_TAG, meanface:IMAGE_TAG-slim and meanface-airflow. By default the tag is the version.
# DOCKER names another docker command, DOCKER_BUILD_ARGS has further options for it, IMAGE_SOURCE is a label.
set -eu # not pipefail: docker may stop reading before tar has written everything
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' embedding_image/pyproject.toml)
tag=${IMAGE_TAG:-$version}
options=(--build-arg "VERSION=$version" --build-arg "REVISION=$(git describe --always --dirty --abbrev=40 --exclude '*')")
if [ -n "${IMAGE_SOURCE:-}" ]; then options+=(--build-arg "SOURCE=$IMAGE_SOURCE"); fi

set -x
# DOCKER and DOCKER_BUILD_ARGS are split into words: a command and its options.
tar --create --exclude=__pycache__ airflow_image dags plugins requirements.txt |
  $docker build "${options[@]}" ${DOCKER_BUILD_ARGS:-} --tag "${IMAGE_REGISTRY:-}meanface-airflow:$tag" \
    --file airflow_image/Dockerfile - &
$docker build "${options[@]}" ${DOCKER_BUILD_ARGS:-} --tag "${IMAGE_REGISTRY:-}meanface:$tag" embedding_image
$docker build "${options[@]}" ${DOCKER_BUILD_ARGS:-} --target slim --tag "${IMAGE_REGISTRY:-}meanface:$tag-slim" embedding_image
wait "$!"
