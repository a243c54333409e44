# meanface on one machine. `make help` lists the targets; a recipe of more than two lines is a program in scripts/.
SHELL := /bin/bash
PYTHON ?= python3.11

# These two are passed on unchanged: make would replace `$`, and a shell would run backticks.
override DATASET := $(value DATASET)
override ARGS := $(value ARGS)
export DATASET ARGS PYTHON
TAKEN := ARGS AVX2 CONFIRM COUNT DATASET DAYS E2E FIRST JOBS MINUTES PHOTOS ROUNDS SCHEDULES SEED TARGET \
  DOCKER DOCKER_BUILD_ARGS IMAGE_REGISTRY IMAGE_SOURCE IMAGE_TAG KUBECONFIG PARALLEL PYTHON
UNKNOWN := $(filter-out $(TAKEN) SHELL AWS_% MEANFACE_% UV_%,\
  $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
$(if $(UNKNOWN),$(error $(UNKNOWN): no such variable; the variables are $(TAKEN)))

AIRFLOW := .venvs/airflow/bin/python
STAGES := .venvs/meanface/bin/python
# A file's tests share costly fixtures: a run, an Airflow. The slowest folders come first.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 25
BENCH = $(STAGES) -m benchmarks $(if $(DATASET),"--dataset=$$DATASET") $(if $(PHOTOS),--photos $(PHOTOS)) \
  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(AVX2),--avx2)

.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*##.*/\1/p' $(lastword $(MAKEFILE_LIST)))

help: ## list the targets; [NAMES] are variables: make run DATASET=photos
	@sed -nE -e 's/^##@ (.*)/\n\1/p' -e 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 19

##@ Every day
run: setup ## compute the mean face of a collection, by default of the built-in sample, with a real Airflow [DATASET ARGS="--labels parent_folder"]
	@$(AIRFLOW) scripts/local.py run $(if $(DATASET),"--dataset=$$DATASET") --words "$$ARGS"
up: setup ## start Airflow and Valkey and leave them running
	@$(AIRFLOW) scripts/local.py up
down: ## stop what `make up` started
	@$(AIRFLOW) scripts/local.py down
airflow: setup ## run a command of the running Airflow [ARGS="backfill create --dag-id meanface ..."]
	@$(AIRFLOW) scripts/local.py airflow --words "$$ARGS"
test: check ## run all quick tests; they need no cluster, no browser and no LFW
	$(STAGES) -m pytest $(PARALLEL) -m "not long" tests/embedding_image tests/project tests/fuzz
	$(STAGES) -m pytest --numprocesses auto -m "not long" tests/faults
	$(AIRFLOW) -m pytest $(PARALLEL) -m "not long" tests/local tests/plugins tests/dags tests/charts tests/fuzz
check: setup ## check lint, formatting and types, as pre-commit and CI do
	.venvs/meanface/bin/ruff check . && .venvs/meanface/bin/ruff format --check .
	(cd embedding_image && ../.venvs/meanface/bin/mypy) & .venvs/meanface/bin/mypy && wait $$!
format: setup ## fix what ruff can fix
	.venvs/meanface/bin/ruff check --fix . && .venvs/meanface/bin/ruff format .
setup: ## create the two environments and check the models; the other targets do this when needed
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or name another with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) scripts/set_up.py
##@ Long suites
test-long: setup ## run the slow tests that `make test` leaves out, mainly with a complete Airflow
	$(STAGES) -m pytest $(PARALLEL) -m long tests/embedding_image tests/project tests/fuzz
	$(AIRFLOW) -m pytest --durations 25 -m long tests/local tests/plugins tests/charts
test-lfw: setup ## test with 2,000 real photos, if ../shared/lfw-2000.tgz exists [PHOTOS]
	$(STAGES) -m pytest $(PARALLEL) -rP tests/lfw $(if $(PHOTOS),--photos $(PHOTOS))
test-odd-photos: setup ## compare 500 photos of 65 kinds with face_recognition; `make test-long` has one of each (4 minutes)
	$(STAGES) -m pytest tests/odd_photos
test-browser: setup ## test the UI in Chromium (Debian: chromium chromium-driver); screenshots in .local/screenshots
	MEANFACE_SCREENSHOTS=$${MEANFACE_SCREENSHOTS:-.local/screenshots} $(AIRFLOW) -m pytest --durations 5 tests/browser
test-backfill: setup ## backfill 31 days by `airflow` while every core is busy [DAYS]
	DAYS=$(or $(DAYS),31) $(AIRFLOW) -m pytest tests/local/test_backfill.py
laws: setup ## run the property tests with new inputs each time (Hypothesis; a minute)
	$(STAGES) -m pytest $(PARALLEL) --hypothesis-profile=others -m hypothesis tests/embedding_image
faults: setup ## inject faults: at every I/O step, and in 500 random schedules (20 minutes) [SEED replays one; SCHEDULES]
	$(STAGES) -m pytest tests/faults --timeout=3000 $(if $(SEED),-k seed --seed $(SEED),--numprocesses auto --every-step --schedules $(or $(SCHEDULES),500))
fuzz: setup ## give 1.3 million hostile inputs to the parsers (5 minutes) [TARGET SEED FIRST COUNT JOBS]
sanitize: setup ## run the tests of native detector and network under AddressSanitizer and UndefinedBehaviorSanitizer (g++)
e2e: setup images ## test the images and the chart on the cluster of KUBECONFIG (an hour) [E2E names some of its tests]
	$(STAGES) -m pytest tests/images
	$(AIRFLOW) -m pytest -s --timeout=3000 $(or $(E2E),tests/e2e)
##@ Maintenance
images: ## build the two container images [IMAGE_REGISTRY/]meanface[-airflow]:IMAGE_TAG [DOCKER DOCKER_BUILD_ARGS IMAGE_SOURCE]
sbom: setup ## list the contents of the two images as CycloneDX: .local/sbom-*.cdx.json (after `make images`)
audit: setup ## check pinned packages for known vulnerabilities (asks PyPI), and chart and images by checkov's rules
lock: ## pin every package again after a change of pyproject.toml [ARGS=--upgrade takes the newest versions]
	@$(PYTHON) scripts/set_up.py uv && $(PYTHON) scripts/lock.py $$ARGS
pictures: setup ## make the README's pictures: the page, and the report of DATASET, without photos (Chromium, as above)
	$(AIRFLOW) -m pytest --basetemp="$$(mktemp -d)/meanface" tests/browser/pictures.py && $(STAGES) scripts/palette.py docs/pictures/*.png
bench: setup ## measure speed: meanface beside other programs, stages, start-up, instructions (5 minutes) [DATASET PHOTOS ROUNDS AVX2=1]
	$(BENCH)
bench-growth: setup ## measure 200, 2,000 and 20,000 photos (5 minutes) [DATASET]
bench-large: setup ## measure photos of 12 to 48 megapixels (2 minutes)
bench-dag: setup ## measure the DAG beside `meanface run`, with a real Airflow [DATASET ROUNDS]
bench-scale: setup ## measure lists of millions, commits of 64 clients, reduce of 1,024 partitions; no photos (4 minutes)
bench-plan: setup ## measure plan of a bucket of 10 million photos, which exist as a listing only (5 minutes) [PHOTOS]
bench-soak: setup ## repeat runs, and measure memory and open files [DATASET MINUTES]
bench-growth bench-large bench-scale bench-dag bench-plan bench-soak:
	$(BENCH) $(@:bench-%=%)
bench-others: setup ## install DeepFace, and dlib from source, for `make bench` (Debian: cmake libopenblas-dev; 15 minutes)
clean: ## stop Airflow, remove the environments and all files of runs; asks first if there are results [CONFIRM=yes]
fuzz sanitize images sbom audit bench-others clean:
	@scripts/$(subst -,_,$@).sh
