# micropacs: the commands of a newcomer and of a contributor. `make` lists them.

# The system's own Python where it will do: distributions build theirs with profile-guided optimisation, pyenv by default does not and is half as fast
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
SCHEMA := examples/micropacs.schema.json
CONFIG ?= examples/hospital.yaml
STUDY ?=
# Tests wait for programs more than they compute
WORKERS ?= $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")
FUZZ_SECONDS ?= 60
ONLY ?=
LONG := $(addprefix tests/,faults scenarios archive/test_crash_points.py archive/test_power_loss.py rules/anonymising)
ROUNDS ?= 5
JSON ?=
WRITE ?=
STUDIES ?= 20000
SEED ?=
FAULTS ?= data/faults
MINUTES ?=
INSTANCES ?= 100000
SOAK ?= data/soak

.DELETE_ON_ERROR:
unexport PYTHONDONTWRITEBYTECODE  # some images set it: then each start compiles everything anew, and takes twice as long
.PHONY: help setup setup-dev peers demo serve test test-long bench faults soak fuzz check format clean

help:
	@echo "make demo    set up, then do the main job once, with real DICOM over TCP   (STUDY=/path/to/dicom: with your files)"
	@echo "make test    set up, then run the whole test suite"
	@echo "make test-long  what in it draws samples or waits, to the end: hours         (docs/reliability.md, CONTRIBUTING.md)"
	@echo "make serve   run the appliance in the foreground                            (CONFIG=file.yaml)"
	@echo "make bench   measure it beside DCMTK and Orthanc, a quarter of an hour      (ONLY=receive,forward ROUNDS=5; docs/benchmarks.md)"
	@echo "make faults  thousands of studies with a fault in each, hours               (STUDIES=20000 SEED=7 FAULTS=folder; docs/reliability.md)"
	@echo "make soak    instances without end, what memory and descriptors do         (INSTANCES=100000 MINUTES=15 SOAK=new-folder)"
	@echo "make fuzz    let atheris look for what breaks the readers of the wire       (FUZZ_SECONDS=60 each)"
	@echo "make check   lint, types, import law"
	@echo "make format  let ruff format and fix"
	@echo "make setup   create .venv; afterwards .venv/bin/micropacs exists"

$(VENV)/.product: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "micropacs needs Python 3.11 or newer (PYTHON=python3.12 make ...)"; exit 1; }
	@echo "installing micropacs into $(VENV), a minute the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(SCHEMA): $(VENV)/.product $(wildcard router/config/*.py rules/*.py rules/edits/*.py)
	@$(BIN)/micropacs schema > $@

$(VENV)/.development: pyproject.toml $(VENV)/.product
	@echo "installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/.product $(SCHEMA)

setup-dev: $(VENV)/.development $(SCHEMA)

# DCMTK, Orthanc and dciodvfy play scanner, PACS and validator in the tests; without them their tests are skipped, and say so
peers:
	@sh tests/support/install-peers.sh

demo: setup
	@$(BIN)/micropacs demo $(if $(STUDY),--study "$(STUDY)")

serve: setup
	@$(BIN)/micropacs serve --config $(CONFIG)

test: setup-dev peers
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-long: setup-dev peers
	MICROPACS_EVERY_POINT=1 $(BIN)/python -m pytest --timeout 3600 -n $(WORKERS) --dist loadgroup $(LONG)

bench: setup-dev peers
	$(BIN)/python -m benchmarks --rounds $(ROUNDS) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) $(if $(WRITE),--write $(WRITE))

faults: setup-dev peers
	$(BIN)/python -m tests.faults --studies $(STUDIES) --folder $(FAULTS) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

soak: setup-dev peers
	$(BIN)/python -m tests.faults.soaking --instances $(INSTANCES) --folder $(SOAK) $(if $(MINUTES),--minutes $(MINUTES))

fuzz: setup-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[fuzz]'
	nice $(BIN)/python -m tests.fuzzing.atheris_harness $(FUZZ_SECONDS)

check: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
