# Clinical outcomes. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PORT ?=
EMULATOR ?=
CONSOLE_PORT ?=
DATA ?=
TUNE ?=
VERSION ?=
EXECUTION ?=
REASON ?=
OUT ?=
STUDY ?=
TARGET ?=
ID ?=
UNTIL ?=
OUTCOMES ?=
RETRAIN_AFTER ?=
DAYS ?=
SHIFT ?=
AT ?=
WORKERS ?= 4
STACK ?= clinical-outcomes$(addprefix -,$(STUDY))
VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
COMPILED := $(VENV)/.compiled
LOCAL := STUDY="$(STUDY)" PORT="$(PORT)" CONSOLE_PORT="$(CONSOLE_PORT)" EMULATOR="$(EMULATOR)" DATA="$(DATA)" \
  TUNE="$(TUNE)" VERSION="$(VERSION)" EXECUTION="$(EXECUTION)" OUT="$(OUT)" UNTIL="$(UNTIL)" DAYS="$(DAYS)" \
  SHIFT="$(SHIFT)" AT="$(AT)" OUTCOMES="$(OUTCOMES)" RETRAIN_AFTER="$(RETRAIN_AFTER)" $(PYTHON) -m local

# A reason is free text that neither make nor the shell may interpret: quotes and $ stay in it.
override REASON := $(value REASON)
export REASON
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/layers/clinical:$(CURDIR)/layers/model:$(CURDIR)/pipeline
export SAM_CLI_TELEMETRY := 0
# In shells that set it, such as those of many container images, every command would compile all its
# imports again: sam takes three times as long to start, and scikit-learn to load.
unexport PYTHONDONTWRITEBYTECODE
# A shell can also say that Python finds no code in this folder, or leaves out docstrings and checks,
# or that files and terminals are not UTF-8, which all files of the project are.
unexport PYTHONSAFEPATH PYTHONOPTIMIZE PYTHONIOENCODING
export PYTHONUTF8 := 1
# Behind a company's proxy, trust the system's certificates.
export UV_SYSTEM_CERTS := true

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── The cloud on this laptop ────────────────────────────────────────────────────────────────────

.PHONY: up
up: $(READY) ## Start everything, train, and predict  [DATA=path.csv] [PORT=4566] [EMULATOR=localstack] [RETRAIN_AFTER=100]
	@$(LOCAL) up

.PHONY: retrain
retrain: $(READY) ## Run the retrain state machine, and print the verdict  [DATA=path.csv] [TUNE=true] [OUTCOMES=true]
	@$(LOCAL) retrain

.PHONY: score
score: $(READY) ## Score every row of a file with the champion  DATA=patients.csv [OUT=scored.csv]
	@$(LOCAL) score

.PHONY: predict
predict: $(READY) ## Post the sample patient to the deployed API
	@$(LOCAL) predict

.PHONY: monitor
monitor: $(READY) ## Run the monitor, and print drift and errors on recorded outcomes  [UNTIL=2026-10-31]
	@$(LOCAL) monitor

.PHONY: outcomes
outcomes: $(READY) ## Upload outcomes, or write predictions with outcomes as training rows  [DATA=outcomes.csv] [OUT=joined.csv]
	@$(LOCAL) outcomes

.PHONY: simulate
simulate: $(READY) ## Simulate days of requests and outcomes in a minute  [DAYS=60] [SHIFT=none|doubled_drug|older|reversed_effects|noisier] [AT=30]
	@$(LOCAL) simulate

.PHONY: models
models: $(READY) ## List the models, their verdicts, and the promotions
	@$(LOCAL) models

.PHONY: report
report: $(READY) ## Write the TRIPOD+AI report of the champion  [STUDY=name] [OUT=.local/report.html]
	@$(LOCAL) report

.PHONY: approvals
approvals: $(READY) ## List the candidates that are waiting for approval
	@$(LOCAL) approvals

.PHONY: approve
approve: $(READY) ## Approve a candidate that is waiting  REASON="…" [EXECUTION=name, if several wait]
	@$(LOCAL) approve

.PHONY: reject
reject: $(READY) ## Reject a candidate that is waiting  REASON="…" [EXECUTION=name, if several wait]
	@$(LOCAL) reject

.PHONY: change-control
change-control: $(READY) ## Write the change-control page: what may change, how, and every change  [OUT=.local/change-control.html]
	@$(LOCAL) change-control

.PHONY: export
export: $(READY) ## Pack a version and all records about it for an auditor  [VERSION=v-…] [OUT=.local/v-….zip]
	@$(LOCAL) export

.PHONY: rollback
rollback: $(READY) ## Roll back to the previous version, or to another one  [VERSION=v-…] [REASON="…"]
	@$(LOCAL) rollback

.PHONY: down
down: ## Stop the local cloud, and keep its state
	@if [ -e $(READY) ]; then $(LOCAL) down; fi

.PHONY: clean
clean: ## Stop the local cloud, and delete its state, builds and environments
	@if [ -e $(READY) ]; then $(LOCAL) down; fi
	rm -rf .local .aws-sam $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ── Studies ─────────────────────────────────────────────────────────────────────────────────────

.PHONY: study
study: $(READY) ## Propose a params.yaml for your own data  DATA=trial.csv TARGET=column [ID=column] [STUDY=name]
	@DATA="$(DATA)" TARGET="$(TARGET)" ID="$(ID)" STUDY="$(STUDY)" $(PYTHON) -m local.studies propose

.PHONY: check-params
check-params: $(READY) ## Check a study's params.yaml, and list every mistake with its line  [STUDY=name]
	@STUDY="$(STUDY)" $(PYTHON) -m local.studies check

# ── Quality ─────────────────────────────────────────────────────────────────────────────────────

PYTEST := $(PYTHON) -m pytest
# Tests of a cloud mostly wait for it, so there are more workers than cores. Given the folder of all
# tests, the process that distributes them imports none of what they need.
TEST := $(PYTEST) -n $(WORKERS) --ignore=tests/release tests

.PHONY: test
test: $(COMPILED) ## Run every test: units, the stack on local clouds of their own, LocalStack, containers
	@$(TEST)

.PHONY: test-busy
test-busy: $(COMPILED) ## Run every test beside two busy loops, which must not make one fail
	@for loop in 1 2; do (while :; do :; done) & loops="$${loops:-} $$!"; done; \
	  trap "kill $$loops" EXIT; $(TEST)

.PHONY: check
check: $(READY) ## Check style, format, the template, types and all units but the slow ones, in three minutes
	@$(MAKE) --no-print-directory --jobs=2 lint typecheck
	@$(PYTEST) -n 2 --without-clouds -m "not slow" tests

.PHONY: lint
lint: $(READY) ## Check style, format, the workflows and the template
	@ruff check .
	@ruff format --check .
	@jactionlint --shellcheck= --pyflakes=
	@AWS_DEFAULT_REGION=us-east-1 sam validate --lint

.PHONY: typecheck
typecheck: $(READY) ## Check types, strictly
	@mypy layers functions pipeline local data studies events bench tests

.PHONY: release-check
release-check: $(READY) ## Run the release checks; .local/release-check.xml is the JUnit report
	@$(PYTHON) -m pytest tests/release -v -ra --junitxml=.local/release-check.xml

.PHONY: bench
bench: $(READY) ## Measure the handler against the predecessor's, and the size of each build
	@$(PYTHON) -m bench

.PHONY: bench-start
bench-start: $(READY) ## Measure a cold start part by part, on the running local cloud
	@$(PYTHON) -m bench.start

.PHONY: bench-containers
bench-containers: build ## Measure the first request that a Lambda container answers, on a Docker engine
	@$(PYTHON) -m bench.containers

.PHONY: bench-burst
bench-burst: $(READY) ## Send 50 requests a second for two minutes to the running local cloud
	@$(PYTHON) -m bench.burst

.PHONY: bench-statistics
bench-statistics: $(READY) ## Simulate data with known truths, and write docs/explanation/statistics.md
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.statistics

.PHONY: bench-monitoring
bench-monitoring: $(READY) ## Simulate weeks with and without changes, and write docs/explanation/monitoring.md
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.monitoring

.PHONY: cost
cost: $(READY) ## Price a month, and write it to docs/how-to/deploy-to-aws.md  [LOG=file, a Lambda log to measure by]
	@$(PYTHON) -m bench.cost $(LOG)

.PHONY: bench-rollback
bench-rollback: $(READY) ## Measure rollbacks on the running local cloud, back and forth
	@$(PYTHON) -m bench.rollback

.PHONY: bench-retrain
bench-retrain: $(READY) ## Time warm retrains on the running local cloud, compared with the fits alone
	@$(PYTHON) -m bench.retrain

.PHONY: bench-wins
bench-wins: $(READY) ## Compare win probabilities with the truth of the synthetic sample, by model family
	@$(PYTHON) -m bench.wins

.PHONY: bench-curve
bench-curve: $(READY) ## Simulate how often the learning curve says that more rows would help, rightly and wrongly
	@$(PYTHON) -m bench.learning_curve
	@$(PYTHON) -m bench.learning_curve --forests --sets 200

.PHONY: bench-bulk
bench-bulk: $(READY) ## Measure how fast part of a file is scored, compared with ONNX Runtime and scikit-learn alone
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.bulk

.PHONY: bench-replay
bench-replay: $(READY) ## Measure the replay of 10,000 captured requests, compared with both models alone
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.replay

.PHONY: bench-growth
bench-growth: $(READY) ## Measure each stage at up to a million rows, and write docs/explanation/growth.md
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.growth

.PHONY: bench-uploads
bench-uploads: $(READY) ## Upload in bursts to the running local cloud, and check which data set serves
	@$(PYTHON) -m bench.uploads

# ── Build, publish and generated files ──────────────────────────────────────────────────────────

.PHONY: build
build: $(READY) ## Build for AWS, and for `sam local start-api` with a model of the sample  [STUDY=name]
	@sam build
	@STUDY="$(STUDY)" $(PYTHON) -m local.building
	@STUDY="$(STUDY)" $(PYTHON) -m events.sample

.PHONY: publish
publish: $(READY) ## Publish the site to the deployed stack in your AWS account  [STUDY=name] [STACK=name]
	@$(PYTHON) -m local.site $(STACK) $(STUDY)

.PHONY: params-schema
params-schema: $(READY) ## Write params.schema.json, with which editors check a params.yaml
	@$(PYTHON) -m local.studies schema

.PHONY: parameters
parameters: $(READY) ## Write docs/reference/parameters.md from the template
	@$(PYTHON) -m local.parameters

.PHONY: openapi
openapi: $(READY) ## Write functions/predict/openapi.json from the routes
	@$(PYTHON) functions/openapi.py

.PHONY: events
events: $(READY) ## Write events/*.json from a run on the sample
	@$(PYTHON) -m events.generate

.PHONY: sample
sample: $(READY) ## Write data/sample.csv: synthetic patients with a known signal
	@$(PYTHON) data/generate.py

COMPILE = uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header \
  --no-annotate --no-emit-index-url --no-emit-find-links
CLINICAL = $(shell grep -oE '^[a-z0-9-]+==' layers/clinical/requirements.txt | sed 's/==//')

.PHONY: requirements
requirements: $(READY) ## Compile pyproject.toml's groups into hash-pinned requirements  [UPGRADE=--upgrade]
	$(COMPILE) $(UPGRADE) --group bootstrap -o local/bootstrap.txt
	$(COMPILE) $(UPGRADE) --group dev -o requirements-dev.txt
	$(COMPILE) --group clinical -c requirements-dev.txt -o layers/clinical/requirements.txt
	$(COMPILE) --group model -c requirements-dev.txt -o layers/model/requirements.txt
	$(COMPILE) --group training -c requirements-dev.txt -o layers/training/requirements.txt \
	  $(addprefix --no-emit-package ,$(CLINICAL))
	$(COMPILE) --group parquet -c requirements-dev.txt -o layers/parquet/requirements.txt
	$(COMPILE) $(UPGRADE) --group cloud -o local/emulator/requirements.txt
	$(COMPILE) $(UPGRADE) --group runtime -o tests/sam_local/requirements.txt
	$(COMPILE) $(UPGRADE) --group release -o tests/release/requirements.txt
	$(COMPILE) $(UPGRADE) --group localstack -o tests/localstack/requirements.txt
	$(COMPILE) $(UPGRADE) --group actg175 --no-deps -o studies/actg175/requirements.txt

# ── The environment ─────────────────────────────────────────────────────────────────────────────

# uv is installed first, into its own environment, and creates the real one with the Python version
# in .python-version, which it finds on this machine or downloads.
$(READY): requirements-dev.txt local/bootstrap.txt .python-version
	@echo "Creating the environment"
	@python3 -m venv .local/bootstrap
	@.local/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --no-deps -r local/bootstrap.txt
	@.local/bootstrap/bin/uv venv --quiet --clear $(VENV)
	@.local/bootstrap/bin/uv pip sync --quiet --require-hashes --python $(PYTHON) requirements-dev.txt
	@touch $@

# In a new environment, the workers of all tests would each compile the same libraries at first.
$(COMPILED): $(READY)
	@$(PYTHON) -m compileall -q -j 0 -x '/tests/' $(VENV)/lib
	@touch $@
