# Every command of the project. `make help` lists them; CI runs `make test` and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PY := PYTHONPATH=layers/core:. .venv/bin/python
PYTEST := $(PY) -m pytest
WORKER_PATH := gpu_batch:layers/core:.
SCENE := PYTHONPATH=$(WORKER_PATH) .venvs/scene/bin/python
IMAGE := PYTHONPATH=$(WORKER_PATH) .venvs/image/bin/python
export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1

##@ The two commands
.PHONY: run test
run: setup ## Start the local region and run the main job: photos → GLB + USDZ, prompt → pictures. PHOTOS=folder, WAIT=0, ARGS=…
	$(PY) -m infrastructure.local.demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(filter 0,$(WAIT)),--no-wait) $(ARGS)

test: setup check test-core test-local test-workers test-e2e ## Everything that CI runs

##@ Set-up
.PHONY: setup clean
setup: ## Make the virtual environments, once per change of their lock files
	@python3 infrastructure/tools/setup.py

clean: ## Remove everything that was made
	rm -rf .venv .venvs .local .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

##@ Checks and tests, in parts
.PHONY: check check-python check-templates check-workers test-core test-local test-workers test-e2e test-full test-changed parts generate messages format
check: check-python check-workers check-templates ## Static checks: format, lint, types, imports, templates, drift of what is generated

check-python:
	.venv/bin/ruff format --check -q .
	.venv/bin/ruff check -q .
	.venv/bin/mypy --exclude "^(tests/gpu_batch|infrastructure/local/demo/render)/" layers/core/snapforge functions infrastructure tests
	PYTHONPATH=layers/core:gpu_batch .venv/bin/lint-imports --no-cache
	$(PY) -m infrastructure.tools.openapi --check
	$(PY) -m infrastructure.tools.templates --check
	$(PY) -m infrastructure.tools.messages --check

check-workers:
	MYPYPATH=gpu_batch:layers/core .venvs/scene/bin/python -m mypy --cache-dir .mypy_cache/workers gpu_batch/worker gpu_batch/training

check-templates:
	.venv/bin/cfn-lint infrastructure/*.yaml template.yaml
	for stack in infrastructure/foundation.yaml template.yaml infrastructure/edge.yaml; do \
	  .venvs/sam/bin/sam validate --lint --region eu-central-1 -t $$stack; done

test-core: ## Contexts, endpoints, templates (a real DynamoDB emulator, no region)
	$(PYTEST) tests/core tests/functions tests/infrastructure -m "not full" -n 2 --dist loadfile --cov --cov-report=term --cov-fail-under=80

test-local: ## The local region and faults; three files at a time, since they wait more than they work
	$(PYTEST) tests/local -m "not full" -n 3 --dist loadfile

test-workers: ## GPU workers on the CPU, each in its own environment
	$(IMAGE) -m pytest tests/gpu_batch/frame tests/gpu_batch/image tests/gpu_batch/lora -m "not full" -n 2 --dist loadfile
	$(SCENE) -m pytest tests/gpu_batch/scene -m "not full" -n 2 --dist loadfile

test-e2e: ## Both kinds of job on the local region, by a client that knows only the OpenAPI document
	$(PYTEST) tests/e2e -m "not full"

test-full: test ## The full matrices: kills, fuzzing, mutants, real photos
	$(PYTEST) tests/core tests/functions tests/local tests/e2e -m full
	$(IMAGE) -m pytest tests/gpu_batch/frame tests/gpu_batch/image tests/gpu_batch/lora -m full
	$(SCENE) -m pytest tests/gpu_batch/scene -m full

test-changed: ## The tests that a change touches, and why: since the last commit, or BASE=rev. ARGS=--list only tells
	@$(PY) -m infrastructure.tools.changed $(BASE) $(ARGS)

parts: ## Each part of the product with its tests, and the parts without
	@$(PY) -m infrastructure.tools.parts

generate: ## Write what is generated: the OpenAPI document, Postman collection, docs page and sample events; the edge's paths, the mails' events
	$(PY) -m infrastructure.tools.openapi
	$(PY) -m infrastructure.tools.templates

messages: ## Extract what mails say, update their catalogues (notifications/locales) and compile them
	$(PY) -m infrastructure.tools.messages

format: ## Format and fix what can be fixed
	.venv/bin/ruff format -q .
	.venv/bin/ruff check -q --fix .

##@ Measured
.PHONY: bench
bench: setup ## Ratios side by side in one run; writes docs/benchmarks.md and .json. ARGS="--put poses --photos folder"
	$(PY) -m tests.bench $(ARGS)

.PHONY: mutants
mutants: setup ## A seeded sample of mutants against the tests, half an hour a run; writes docs/mutants.md. ARGS="--sample 100 --seed 1"
	nice -n 10 env $(PY) -m tests.mutants $(ARGS)

.PHONY: bench-gpu
bench-gpu: ## Scenes and pictures on this machine's NVIDIA GPU: time, memory, quality; writes docs/benchmarks-gpu.json. ARGS=…
	$(SCENE) -W ignore -m bench.gpu $(ARGS)
	$(IMAGE) -W ignore -m bench.gpu_images

.PHONY: demo-model
demo-model: setup ## Train the demo model again, score it, write gpu_batch/models/demo: MINUTES=60
	$(IMAGE) -m training.demo --minutes $(or $(MINUTES),60) --out gpu_batch/models/demo

##@ Local region and deployment
.PHONY: up grant build deploy
up: setup ## Start the local region alone, with hot reload
	$(PY) -m infrastructure.local up --reload

grant: ## Grant credits in the running local region: make grant ORG=org_… CREDITS=100 REASON="…"
	$(PY) -m infrastructure.local invoke grant-credits '{"org_id": "$(ORG)", "credits": $(CREDITS), "reason": "$(REASON)", "key": "$(or $(KEY),$(shell date +%s%N))"}'

STAGE ?= dev
SAM := .venvs/sam/bin/sam
build: setup ## sam build of the three root stacks: make build STAGE=dev
	for stack in foundation app edge; do $(SAM) build --config-env $(STAGE)-$$stack; done

deploy: setup ## Build and deploy the three root stacks in order, with your AWS credentials: make deploy STAGE=dev
	for stack in foundation app edge; do $(SAM) build --config-env $(STAGE)-$$stack; \
	  $(SAM) deploy --config-env $(STAGE)-$$stack; $(PY) -m infrastructure.links $(STAGE); done

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*?## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z_-]+:.*?## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
