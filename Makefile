# Each target works on its own from a fresh clone (Debian 12: python3.11, git, make).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo test test-slow test-browser test-viewers validate-dicom bench audit sbom wheel wheelhouse train train-refiner train-smoke clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("spinenode needs Python 3.11 or later") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "no venv module: install python3-venv (apt-get install python3-venv)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/spinenode demo --out demo-output

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --cov --cov-report=
	$(BIN)/coverage report

test-slow: setup
	$(BIN)/python -m pytest -m slow -s

test-viewers: setup
	bash tests/viewers/run.sh

# The dashboard in headless Chromium (installed if root); pictures of the pages in build/browser.
test-browser: setup
	bash tests/service/dashboard/browser/run.sh

validate-dicom: setup
	bash tests/validators/run.sh

# Tools for the supply chain live in an environment of their own, never in the product's.
SUPPLY_TOOLS := build/supply-tools
$(SUPPLY_TOOLS)/.installed: tests/supply_chain/tools.txt
	$(PYTHON) -m venv $(SUPPLY_TOOLS)
	$(SUPPLY_TOOLS)/bin/python -m pip install --quiet --requirement $<
	touch $@

# Known vulnerabilities of every pinned dependency; needs the advisory database in the internet.
audit: $(SUPPLY_TOOLS)/.installed
	bash tests/supply_chain/audit.sh $(SUPPLY_TOOLS)/bin

# CycloneDX bill of materials of what the product needs to run.
sbom: setup $(SUPPLY_TOOLS)/.installed
	mkdir -p dist
	$(SUPPLY_TOOLS)/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml \
		--output-format JSON --output-file build/environment.cdx.json
	$(BIN)/python tests/supply_chain/product_only.py build/environment.cdx.json \
		dist/spinenode.cdx.json

# Data and benchmarks that need arguments say so in their own help.
bench: setup
	$(BIN)/python -m benchmarks.texture
	$(BIN)/python -m benchmarks.outputs
	$(BIN)/python -m benchmarks.fracture --patients 10
	$(BIN)/python -m benchmarks.receive --memory 1000
	! command -v storescu >/dev/null || $(BIN)/python -m benchmarks.receive --rounds 1

# DATA: a folder of label maps as the model card lists them; INIT: weights to start from.
DATA ?= ../shared/data
INIT ?= inference/weights/spinenode-2mm.safetensors
train: setup
	$(BIN)/python -m inference.training --config inference/training/released.yaml \
		--data $(DATA) --out training-runs/released --init $(INIT) \
		--export training-runs/released/spinenode-2mm.safetensors

train-refiner: setup
	$(BIN)/python -m inference.training.fine --config inference/training/refiner.yaml \
		--data $(DATA) --first $(INIT) --out training-runs/refiner --scenes-only
	$(BIN)/python -m inference.training.fine --config inference/training/refiner.yaml \
		--data $(DATA) --first $(INIT) --out training-runs/refiner \
		--export training-runs/refiner/refiner.safetensors
	$(BIN)/python -m inference.training.bundle --first $(INIT) \
		--refiner training-runs/refiner/refiner.safetensors \
		--out training-runs/refiner/spinenode.safetensors

train-smoke: setup
	$(BIN)/python -m inference.training --config inference/training/smoke.yaml \
		--out training-runs/smoke
	$(BIN)/python -m inference.training.fine --config inference/training/refiner_smoke.yaml \
		--first $(INIT) --out training-runs/smoke-refiner --scenes-only
	$(BIN)/python -m inference.training.fine --config inference/training/refiner_smoke.yaml \
		--first $(INIT) --out training-runs/smoke-refiner

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/python tests/wheel_contents.py dist

# Everything that a host without network needs: the wheels of the program and of what it uses, their
# sums, and install.sh, which installs or upgrades from them (docs/installation.md).
WHEELHOUSE ?= dist/wheelhouse
wheelhouse: setup
	mkdir -p $(WHEELHOUSE) && rm -f $(WHEELHOUSE)/*.whl $(WHEELHOUSE)/SHA256SUMS
	$(BIN)/python -m pip wheel --quiet --constraint constraints.txt --wheel-dir $(WHEELHOUSE) .
	cp deploy/install.sh constraints.txt $(WHEELHOUSE)
	cd $(WHEELHOUSE) && sha256sum * > SHA256SUMS

clean:
	rm -rf $(VENV) dist build demo-output
