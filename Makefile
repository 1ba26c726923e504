# `make report` and `make test` do everything on a machine with Python >= 3.11 and make: set-up included.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-$(shell cat requirements.lock pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
APP    := $(VENV)/.app-$(shell cat requirements-app.lock pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
DEV    := $(VENV)/.dev-$(shell cat requirements-dev.lock pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
AUDIT  := $(VENV)/.audit-$(shell cat requirements-audit.lock pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DELETE_ON_ERROR:
.PHONY: report app test lint format bench cross-check fuzz faults crash coverage sbom audit lock clean

report: $(RUN)
	@$(BIN)/supplychain report $(ARGS)

app: $(APP)
	@$(BIN)/supplychain app $(ARGS)

test: $(DEV)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint: $(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(DEV)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV)
	@$(BIN)/python -m benchmarks $(ARGS)

cross-check: $(DEV)
	@$(BIN)/python -m benchmarks.cross_check $(ARGS)

# 100,000 mutated files through every reader; every corrupted variant of every package.
fuzz: $(DEV)
	@$(BIN)/python -m tests.fuzzing $(ARGS)

faults: $(DEV)
	@$(BIN)/python -m tests.facts.faultkit $(ARGS)

# Fail every write of every command in turn, and kill a writer at 200 random moments: nothing may be half written.
crash: $(DEV)
	@$(BIN)/python -m benchmarks.crash $(ARGS)

# Lines and branches of the core that the tests pass through.
coverage: $(DEV)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --ignore=tests/app --ignore=tests/test_wheel.py --cov --cov-config=tests/coverage.ini --cov-report=term $(ARGS)

# What the tool is made of, as CycloneDX, from the lock.
sbom: $(AUDIT)
	@$(BIN)/cyclonedx-py requirements requirements.lock --output-reproducible --of JSON -o sbom.cdx.json
	@echo sbom.cdx.json

# Known vulnerabilities of what the lock pins; asks pypi.org, so it needs the network, and fails where it is not answered.
audit: $(AUDIT)
	@$(BIN)/pip-audit -r requirements.lock --require-hashes --disable-pip --strict --progress-spinner off

# Versions and hashes of everything, for every supported Python, in four files: what the tool needs, that plus the application, that plus the tools of work, and what audits it.
lock: $(DEV)
	$(PIP) uv
	@$(BIN)/uv pip compile pyproject.toml requirements-build.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml requirements-build.in --extra app --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -c requirements.lock -o requirements-app.lock
	@$(BIN)/uv pip compile pyproject.toml requirements-build.in --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -c requirements.lock -o requirements-dev.lock
	@$(BIN)/uv pip compile requirements-build.in --group audit --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -c requirements-dev.lock -o requirements-audit.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 5; }
	@echo "setting up $(VENV) (once)" >&2
	@$(PYTHON) -m venv $(VENV)

define install
$(1): $(BIN)/python
	@$$(PIP) --require-hashes --only-binary :all: -r $(2)
	@$$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f $$(VENV)/.$(3)-* && touch $$@
endef
$(eval $(call install,$(RUN),requirements.lock,run))
$(eval $(call install,$(APP),requirements-app.lock,app))
$(eval $(call install,$(DEV),requirements-dev.lock,dev))
$(eval $(call install,$(AUDIT),requirements-audit.lock,audit))
