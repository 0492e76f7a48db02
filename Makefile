# Clinical outcomes. `make help` lists what there is to do.

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
LOCAL := STUDY="$(STUDY)" PORT="$(PORT)" CONSOLE_PORT="$(CONSOLE_PORT)" EMULATOR="$(EMULATOR)" DATA="$(DATA)" \
  TUNE="$(TUNE)" VERSION="$(VERSION)" EXECUTION="$(EXECUTION)" OUT="$(OUT)" UNTIL="$(UNTIL)" DAYS="$(DAYS)" \
  SHIFT="$(SHIFT)" AT="$(AT)" OUTCOMES="$(OUTCOMES)" RETRAIN_AFTER="$(RETRAIN_AFTER)" $(PYTHON) -m local

# A reason is people's words, which neither make nor the shell is to read: quotes and $ stay in it.
override REASON := $(value REASON)
export REASON
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/layers/clinical:$(CURDIR)/layers/model:$(CURDIR)/pipeline
export SAM_CLI_TELEMETRY := 0
# Where a shell forbids it, as those of many container images do, every command would compile all
# that it imports anew: sam takes three times as long to start, and scikit-learn to load.
unexport PYTHONDONTWRITEBYTECODE
# Behind a company's proxy, the certificate to trust is the system's.
export UV_SYSTEM_CERTS := true

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── The cloud on this laptop ────────────────────────────────────────────────────────────────────

.PHONY: up
up: $(READY) ## Start everything, train, and predict  [DATA=path.csv] [PORT=4566] [EMULATOR=localstack] [RETRAIN_AFTER=100]
	@$(LOCAL) up

.PHONY: retrain
retrain: $(READY) ## Run the retrain state machine and print the verdict  [DATA=path.csv] [TUNE=true] [OUTCOMES=true]
	@$(LOCAL) retrain

.PHONY: score
score: $(READY) ## Score every row of a file by the model that serves  DATA=patients.csv [OUT=scored.csv]
	@$(LOCAL) score

.PHONY: predict
predict: $(READY) ## Post the sample patient to the deployed API
	@$(LOCAL) predict

.PHONY: monitor
monitor: $(READY) ## See what became of the model that serves: what moved, and what came of it  [UNTIL=2026-10-31]
	@$(LOCAL) monitor

.PHONY: outcomes
outcomes: $(READY) ## Hand in what came of predictions, or write it as rows to train on  [DATA=outcomes.csv] [OUT=joined.csv]
	@$(LOCAL) outcomes

.PHONY: simulate
simulate: $(READY) ## Live through days in a minute  [DAYS=60] [SHIFT=none|doubled_drug|older|reversed_effects|noisier] [AT=30]
	@$(LOCAL) simulate

.PHONY: models
models: $(READY) ## List the models, what they are worth, and who promoted them
	@$(LOCAL) models

.PHONY: report
report: $(READY) ## Write the TRIPOD+AI report of the model that serves  [STUDY=name] [OUT=.local/report.html]
	@$(LOCAL) report

.PHONY: approvals
approvals: $(READY) ## List what waits for somebody's approval before it serves
	@$(LOCAL) approvals

.PHONY: approve
approve: $(READY) ## Let a model serve that waits for an approval  REASON="…" [EXECUTION=name, where several wait]
	@$(LOCAL) approve

.PHONY: reject
reject: $(READY) ## Refuse a model that waits for an approval  REASON="…" [EXECUTION=name, where several wait]
	@$(LOCAL) reject

.PHONY: change-control
change-control: $(READY) ## Write what may change, how a change is judged, and every change  [OUT=.local/change-control.html]
	@$(LOCAL) change-control

.PHONY: export
export: $(READY) ## Pack a version with all that is kept about it, for an auditor  [VERSION=v-…] [OUT=.local/v-….zip]
	@$(LOCAL) export

.PHONY: rollback
rollback: $(READY) ## Let the model before this one serve again, or another  [VERSION=v-…] [REASON="…"]
	@$(LOCAL) rollback

.PHONY: down
down: ## Stop the local cloud; its state is kept
	@if [ -e $(READY) ]; then $(LOCAL) down; fi

.PHONY: clean
clean: ## Stop the local cloud and forget everything: state, builds, environments
	@if [ -e $(READY) ]; then $(LOCAL) down; fi
	rm -rf .local .aws-sam $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ── Studies ─────────────────────────────────────────────────────────────────────────────────────

.PHONY: study
study: $(READY) ## Propose a study's params.yaml  DATA=trial.csv TARGET=column [ID=column] [STUDY=name]
	@DATA="$(DATA)" TARGET="$(TARGET)" ID="$(ID)" STUDY="$(STUDY)" $(PYTHON) -m local.studies propose

.PHONY: check-params
check-params: $(READY) ## Check a study's params.yaml, and name every mistake with its line  [STUDY=name]
	@STUDY="$(STUDY)" $(PYTHON) -m local.studies check

# ── Quality ─────────────────────────────────────────────────────────────────────────────────────

# The plugin of schemathesis, which no test needs, takes each process two seconds.
PYTEST := $(PYTHON) -m pytest -p no:schemathesis
# Who tests a cloud often waits for it, which takes more workers than there are cores. Given the
# folder of all tests, the process that shares them out imports none of what they need.
TEST := $(PYTEST) -n $(WORKERS) --ignore=tests/release tests

.PHONY: test
test: $(READY) ## Run every test: units, the stack on local clouds of their own, LocalStack, containers
	@$(TEST)

.PHONY: test-busy
test-busy: $(READY) ## Run every test beside two busy loops, which must not make any fail
	@for loop in 1 2; do (while :; do :; done) & loops="$${loops:-} $$!"; done; \
	  trap "kill $$loops" EXIT; $(TEST)

.PHONY: check
check: $(READY) ## Check style, format, the template, types and units: what takes no cloud
	@$(MAKE) --no-print-directory --jobs=2 lint typecheck
	@$(PYTEST) -n 2 --without-clouds tests

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
release-check: $(READY) ## Check all that a release rests on; .local/release-check.xml is its JUnit report
	@$(PYTHON) -m pytest tests/release -v -ra --junitxml=.local/release-check.xml

.PHONY: bench
bench: $(READY) ## Measure the handler, against what the predecessor did, and the size of each build
	@$(PYTHON) -m bench

.PHONY: bench-start
bench-start: $(READY) ## Measure a cold start part by part, on the running local cloud
	@$(PYTHON) -m bench.start

.PHONY: bench-burst
bench-burst: $(READY) ## Send 50 requests a second for two minutes to the running local cloud
	@$(PYTHON) -m bench.burst

.PHONY: bench-statistics
bench-statistics: $(READY) ## Simulate known truths, and write docs/explanation/statistics.md
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.statistics

.PHONY: bench-monitoring
bench-monitoring: $(READY) ## Simulate weeks in which nothing changed, and others, and write docs/explanation/monitoring.md
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.monitoring

.PHONY: cost
cost: $(READY) ## Price a month, and write it to docs/how-to/deploy-to-aws.md  [LOG=file, a Lambda log to measure by]
	@$(PYTHON) -m bench.cost $(LOG)

.PHONY: bench-rollback
bench-rollback: $(READY) ## Measure rollbacks on the running local cloud, there and back
	@$(PYTHON) -m bench.rollback

.PHONY: bench-retrain
bench-retrain: $(READY) ## Time warm retrains on the running local cloud, beside the fits alone
	@$(PYTHON) -m bench.retrain

.PHONY: bench-wins
bench-wins: $(READY) ## Compare win probabilities with the synthetic sample's truth, by family
	@$(PYTHON) -m bench.wins

.PHONY: bench-curve
bench-curve: $(READY) ## Simulate how often the learning curve says that more rows would help, and should not
	@$(PYTHON) -m bench.learning_curve
	@$(PYTHON) -m bench.learning_curve --forests --sets 200

.PHONY: bench-bulk
bench-bulk: $(READY) ## Measure how a part of a file is scored, beside ONNX Runtime and scikit-learn alone
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.bulk

.PHONY: bench-replay
bench-replay: $(READY) ## Measure the replay of 10,000 captured requests, beside asking both models alone
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.replay

.PHONY: bench-growth
bench-growth: $(READY) ## Measure each stage at up to a million rows, and write docs/explanation/growth.md
	@OPENBLAS_NUM_THREADS=1 $(PYTHON) -m bench.growth

.PHONY: bench-uploads
bench-uploads: $(READY) ## Upload in bursts to the running local cloud, and count which data serve
	@$(PYTHON) -m bench.uploads

# ── What is generated and committed ─────────────────────────────────────────────────────────────

.PHONY: build
build: $(READY) ## Build for AWS, and for `sam local start-api` with a model of the sample  [STUDY=name]
	@sam build
	@STUDY="$(STUDY)" $(PYTHON) -m local.building
	@STUDY="$(STUDY)" $(PYTHON) -m events.sample

.PHONY: publish
publish: $(READY) ## Publish the site to the deployed stack in your AWS account  [STUDY=name] [STACK=name]
	@$(PYTHON) -m local.site $(STACK) $(STUDY)

.PHONY: params-schema
params-schema: $(READY) ## Write params.schema.json, by which editors check a params.yaml
	@$(PYTHON) -m local.studies schema

.PHONY: parameters
parameters: $(READY) ## Write docs/reference/parameters.md from the template
	@$(PYTHON) -m local.parameters

.PHONY: openapi
openapi: $(READY) ## Write functions/predict/openapi.json from the routes
	@$(PYTHON) functions/openapi.py

.PHONY: events
events: $(READY) ## Write the stages' events/*.json from a run on the sample
	@$(PYTHON) -m events.generate

.PHONY: sample
sample: $(READY) ## Write data/sample.csv, synthetic patients with a known signal
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

# uv comes first, into an environment of its own, and makes the real one: with the Python that
# .python-version names, found on this machine or fetched.
$(READY): requirements-dev.txt local/bootstrap.txt .python-version
	@echo "Creating the environment"
	@python3 -m venv .local/bootstrap
	@.local/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --no-deps -r local/bootstrap.txt
	@.local/bootstrap/bin/uv venv --quiet --clear $(VENV)
	@.local/bootstrap/bin/uv pip sync --quiet --require-hashes --python $(PYTHON) requirements-dev.txt
	@touch $@
