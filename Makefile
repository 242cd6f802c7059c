# Every target sets itself up in .venv; a second call is quick. PYTHON chooses the interpreter for a new .venv.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet

# Changes that make an installation stale. Python files do not: the package is installed editable.
SOURCES := pyproject.toml setup.py $(wildcard minigrad_ext/*.pyx minigrad_ext/*.pxd minigrad_ext/*.h)

.DELETE_ON_ERROR:
.PHONY: help demo examples test oracle browser bench lint docs tutorial sanitize wheel clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Runs scripts of examples/ on the CPU, and on OpenCL where there is a driver.
define run_on_each_device
@set -e; for name in $(1); do (set -x; $(PY) examples/$$name.py --device cpu); done
@if $(PY) tools/opencl_here.py; \
then set -e; for name in $(1); do (set -x; $(PY) examples/$$name.py --device opencl); done; \
else echo "The CPU is done. Once there is a driver for OpenCL, make $@ again."; \
fi
endef

demo: $(VENV)/installed  ## learn the edge kernel on the CPU and on OpenCL, and save the pictures
	$(call run_on_each_device,learn_edge_kernel)

examples: $(VENV)/installed  ## Newton's method, filters of a photograph, handwritten digits: likewise, in minutes
	$(call run_on_each_device,second_derivatives learn_filters lenet_digits)

test: $(VENV)/extra-test  ## run the test suite
	$(VENV)/bin/pytest -m "not oracle and not browser"

oracle: $(VENV)/extra-test $(VENV)/extra-oracle  ## run the tests that compare with PyTorch
	MINIGRAD_REQUIRE_ORACLE=1 $(VENV)/bin/pytest -m oracle

browser: $(VENV)/extra-test $(VENV)/extra-browser  ## run the tests that open pages in Chromium or Chrome
	MINIGRAD_REQUIRE_BROWSER=1 $(VENV)/bin/pytest -m browser

bench: $(VENV)/installed  ## measure how fast everything is, in a quarter of an hour; beside PyTorch after `make oracle`
	$(PY) benchmarks/bench.py

lint: $(VENV)/extra-lint  ## ruff and mypy
	$(PY) -m ruff check
	$(PY) -m mypy

# pdoc finds the modules of a package by itself, but not where an __all__ leaves them out: each is named (some twice).
MODULES := $(shell find minigrad -name '*.py' | sort | sed 's|/__init__.py||; s|.py$$||; s|/|.|g')

docs: $(VENV)/extra-docs  ## write the API reference, and run and write the tutorial, to build/docs
	rm -rf build/docs
	$(PY) -W error -W 'ignore:The module specification' -m pdoc --docformat google --footer-text 'minigrad' -t docs/api -o build/docs $(MODULES)
	$(PY) tools/build_docs.py build/docs
	$(PY) tools/check_docs.py build/docs
	@echo "Open build/docs/index.html"

tutorial: $(VENV)/extra-tutorial  ## open the chapters in Jupyter, to read, to change and to answer
	cd docs/tutorial && ../../$(VENV)/bin/jupyter lab

sanitize: $(VENV)/extra-test  ## run the kernel tests under AddressSanitizer and UBSan (Linux, gcc)
	PYTHON=$(PY) tools/sanitize.sh

wheel: $(VENV)/extra-dev  ## build sdist and wheel, and test the wheel in an environment of its own
	rm -rf dist
	$(PY) -m build
	tools/check_wheel.sh $(PY) dist

clean:  ## remove all that these targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis minigrad_ext/*.so
	find . -name __pycache__ -type d -prune -exec rm -r {} +

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "minigrad needs Python 3.11 or later, but $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Install one, and say for example: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# An extension built for one version of Python would be found before the new one, which serves all: remove it first.
$(VENV)/installed: $(VENV)/created $(SOURCES)
	rm -f minigrad_ext/*.so
	$(PIP) install --editable '.[opencl,examples]'
	@touch $@

# The package is there already: this adds what one of its extras requires.
$(VENV)/extra-%: $(VENV)/installed
	$(PIP) install 'minigrad-learn[$*]'
	@touch $@
