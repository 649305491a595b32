# Everything a person or CI runs. Bare `make` prints this list; every target makes what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# The first Python that fits; `make PYTHON=…` names another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do "$$p" -c '$(FITS)' 2>/dev/null && echo "$$p" && break; done)
UV := .tools/bin/uv
BIN := .venv/bin
CHECKOV := .tools/checkov/bin/checkov
READY := .venv/.ready
# A mirror that pip is set to serves uv too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(READY) ## Make the environment in .venv from the locked, hashed requirements

.PHONY: demo
demo: $(READY) ## Make five source systems, run them into the warehouse, print a report of each
	@for pipeline in coupbot shop fflogs social stackoverflow; do \
	    $(BIN)/tidemark sample $$pipeline --day 1 --rows 2000; \
	    $(BIN)/tidemark run $$pipeline --as-of 2024-03-02; done
	@for report in reigns revenue_by_day party_scores most_followed posts_by_month; do \
	    $(BIN)/tidemark report $$report --as-of 2024-03-02; done
	@$(BIN)/tidemark status

.PHONY: submit-job
submit-job: $(READY) ## Run a pipeline on EMR and follow it: make submit-job PIPELINE=shop ENV=dev [ARGS=...]
	@[ -n "$(PIPELINE)" ] || { echo "Submitting a run: expected PIPELINE, got none." \
	    "For instance: make submit-job PIPELINE=shop ENV=dev" >&2; exit 2; }
	@PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/tidemark submit $(PIPELINE) --env $(ENV) $(ARGS)

# Each worker has a Spark session and a Postgres of its own (about 2 GB); most of a small batch is one thread's planning.
IN_PARALLEL := -n 2 --dist worksteal

.PHONY: test
test: $(READY) ## Run the unit, scenario and integration tests
	@$(BIN)/pytest tests/unit tests/scenarios tests/integration -q $(IN_PARALLEL) --durations=15

.PHONY: test-faults
test-faults: $(READY) ## Kill runs at every effect and race them; see that nothing is lost or doubled
	@$(BIN)/pytest tests/faults -q $(IN_PARALLEL) --durations=15

.PHONY: test-infra
test-infra: $(READY) $(CHECKOV) ## Test Terraform: its own tests, checkov, every policy, a real apply on an embedded AWS
	@$(BIN)/pytest tests/infra -q -n 2 --dist loadfile --durations=15

# --- an environment on AWS: `make tf-apply ENV=dev`; YES=1 approves unseen ---------------------------------------------
ENV ?= dev
PROVISION = $(BIN)/python -m infra.provision

.PHONY: tf-plan
tf-plan: $(READY) ## Show what `make tf-apply` would change on AWS (ENV=dev)
	@$(PROVISION) plan $(ENV)

.PHONY: tf-apply
tf-apply: $(READY) ## Make or change an environment on AWS and write its conf/environments file (ENV=dev)
	@$(PROVISION) apply $(ENV) $(if $(YES),--yes)

.PHONY: tf-destroy
tf-destroy: $(READY) ## Remove an environment from AWS (ENV=dev)
	@$(PROVISION) destroy $(ENV) $(if $(YES),--yes)

.PHONY: tf-bootstrap
tf-bootstrap: $(READY) ## Make the bucket of Terraform's states; the first tf-apply does it too
	@$(PROVISION) bootstrap $(ENV)

.PHONY: tf-unlock
tf-unlock: $(READY) ## Free the state of a run that was killed (ENV=dev ID=…)
	@$(PROVISION) unlock $(ENV) "$(ID)"

.PHONY: tf-import
tf-import: $(READY) ## Take over what a stopped apply made (ENV=dev ADDRESS=… ID=…)
	@$(PROVISION) import $(ENV) '$(ADDRESS)' '$(ID)'

.PHONY: env
env: $(READY) ## Write conf/environments/ENV.yaml from what Terraform made (ENV=dev)
	@$(PROVISION) env $(ENV)

.PHONY: local-aws
local-aws: $(READY) ## Start an embedded AWS on loopback; prints the variables that make a client use it
	@$(BIN)/python -m infra.local

.PHONY: e2e
e2e: $(READY) ## Run all five pipelines on the embedded AWS, from Terraform to the reports, and compare with a laptop's
	@$(BIN)/pytest tests/e2e -q -n 2 --dist loadfile --durations=15

.PHONY: airflow
airflow: $(READY) ## Start a real Airflow beside an embedded AWS, on loopback, with a DAG for every pipeline
	@$(BIN)/python -m infra.local.airflow $(ARGS)

.PHONY: test-dags
test-dags: $(READY) ## Parse and run every DAG against the embedded AWS, alone and under a real scheduler
	@$(BIN)/pytest tests/dags -q -n 2 --dist loadfile --durations=15

.PHONY: release
release: $(READY) ## Upload the DAGs with all that they import as one version (ENV=dev)
	@PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/python -m orchestration.release $(ENV)

.PHONY: bench-upsert
bench-upsert: $(READY) ## Time an upsert into 1, 4 and 16 million rows beside plain Delta MERGE (about half an hour)
	@$(BIN)/python -m benchmarks.upsert $(ARGS)

.PHONY: bench-dags
bench-dags: $(READY) ## Time the parsing of 5 and 205 DAGs beside Airflow's own imports
	@$(BIN)/python -m benchmarks.dags $(ARGS)

.PHONY: check
check: $(READY) ## Check style, types, import rules and the generated schemas
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy jobs infra orchestration
	@$(BIN)/lint-imports
	@$(BIN)/python -m jobs.config.schema --check

.PHONY: fmt
fmt: $(READY) ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: schema
schema: $(READY) ## Write conf/schema/ from the models
	@$(BIN)/python -m jobs.config.schema

.PHONY: lock
lock: $(UV) ## Lock requirements/*.in again; `make lock UPGRADE=1` takes newer versions
	@for part in build tools orchestration runtime dev checkov; do \
	    $(UV) pip compile requirements/$$part.in --output-file requirements/$$part.txt --universal --python-version 3.11 \
	        --generate-hashes --no-header --quiet $(if $(UPGRADE),--upgrade); done

CLEANED = .tidemark .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
.PHONY: clean
clean: ## Remove the environment, the caches and all local data (.tidemark)
	@for folder in $(CLEANED); do if [ -e "$$folder" ]; then echo "removing $$folder"; rm -rf "$$folder"; fi; done
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(UV): requirements/tools.txt
	@[ -n "$(PYTHON)" ] || { echo "Making the environment: expected Python 3.11, 3.12 or 3.13, got $$(python3 -V 2>&1 || true)." \
	    "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "Making the environment: expected Python 3.11, 3.12 or 3.13, got $$($(PYTHON) -V 2>&1)." >&2; exit 1; }
	@echo "bringing uv into .tools"
	@rm -rf .tools
	@$(PYTHON) -m venv .tools || { echo "Making the environment: expected $(PYTHON) to have the module venv." \
	    "Install it (on Debian and Ubuntu: the package python3-venv)." >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

# In an environment of its own, because it pins what the project does not want to.
$(CHECKOV): $(UV) requirements/checkov.txt
	@echo "bringing checkov into .tools/checkov"
	@$(UV) venv --quiet --clear --python "$$(readlink -f .tools/bin/python)" .tools/checkov
	@$(UV) pip sync --quiet --python .tools/checkov/bin/python --require-hashes requirements/checkov.txt
	@touch $@

# pyspark has no wheel: building it takes setuptools, pinned in build.txt. The project itself is built by uv, without a download.
$(READY): $(UV) pyproject.toml requirements/build.txt requirements/dev.txt
	@echo "making .venv (the first time about 700 MB are downloaded)"
	@[ -x $(BIN)/python ] && $(BIN)/python -c '$(FITS)' || $(UV) venv --quiet --clear --python "$$(readlink -f .tools/bin/python)" .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --build-constraints requirements/build.txt requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
