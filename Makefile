# From a clean clone to a running program: `make demo`, `make test`. Everything goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test lint format build cross-mac audit ptx clean distclean
.DELETE_ON_ERROR:

PYTHON ?= python3
# Any installed torch in .venv is kept. On Linux, plain `torch` would bring several GB of CUDA.
ifeq ($(shell uname -s),Darwin)
TORCH ?= torch>=2.13,<2.16
else
TORCH ?= torch==2.13.0
endif
# What `make cross-mac` builds for: versions of torch, or `all` that mpsops supports.
CROSS_TORCH ?= 2.13.0
JOBS ?= auto
PYTEST ?= -n $(JOBS) --dist loadgroup

venv := .venv
python := $(venv)/bin/python
pip := $(python) -m pip --disable-pip-version-check --no-input
# Directories too: their times tell of files that were added or removed.
sources := CMakeLists.txt $(shell find cmake csrc metal python/mpsops/msl \( -name __pycache__ -o -path cmake/macos \) \
	-prune -o -print)
formatted = $(shell git ls-files -co --exclude-standard -- \
	'csrc/*.h' 'csrc/*.cpp' 'csrc/*.mm' 'csrc/sim/msl/metal_*' 'metal/*.h' 'metal/*.metal' 'cmake/*.h')
# actionlint looks for shellcheck in PATH, for the scripts inside workflows.
lint_path = PATH="$(CURDIR)/$(venv)/bin:$$PATH"

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \t\2/p' Makefile | expand -t 20
	@echo; echo '  PYTHON=$(PYTHON)   the interpreter that .venv is made with'
	@echo '  TORCH="$(TORCH)"   what is installed when .venv has no torch'

demo: $(venv)/installed ## train a network that stock MPS cannot run
	@$(python) -m mpsops.demo $(DEMO)

# One torch thread for each test process: several on the same cores wait for each other.
test: $(venv)/installed ## run the tests; PYTEST="-k pdist -x" to choose
	OMP_NUM_THREADS=1 $(python) -m pytest $(PYTEST)

lint: $(venv)/installed ## check layout, style and types
	$(venv)/bin/ruff check .
	$(venv)/bin/ruff format --check .
	$(venv)/bin/mypy
	$(venv)/bin/mypy examples
	$(venv)/bin/clang-format --dry-run -Werror $(formatted)
	$(lint_path) actionlint .github/workflows/*.yml
	! $(lint_path) command -v shellcheck >/dev/null || $(lint_path) shellcheck .ci/run .ci/cuda .github/scripts/*.sh
	$(venv)/bin/zizmor --offline --quiet .github

format: $(venv)/installed ## put all files into the agreed layout
	$(venv)/bin/ruff check --fix .
	$(venv)/bin/ruff format .
	$(venv)/bin/clang-format -i $(formatted)

build: $(venv)/torch.txt ## build a wheel for the torch of .venv into dist/
	$(pip) wheel --no-deps --wheel-dir dist --config-settings build-dir=build/wheel .

cross-mac: $(venv)/tools $(venv)/cross-tools ## on Linux: compile, link and audit the macOS wheel; CROSS_TORCH=all
	$(python) cmake/macos/cross_build.py $(CROSS_TORCH) --build build/cross-mac --output dist

audit: $(venv)/cross-tools ## audit macOS wheels; WHEEL=dist/x.whl
	$(python) cmake/macos/audit.py $(WHEEL) --downloads build/cross-mac/torch

ptx: $(venv)/installed ## on Linux: compile the kernels for NVIDIA GPUs into build/ptx; .ci/cuda runs them there
	$(python) -m mpsops.msl.ptx -o build/ptx metal/*.metal

clean: ## remove what was built; .venv stays
	rm -rf build dist $(venv)/installed .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(venv)

$(python):
	$(PYTHON) cmake/check_python.py
	$(PYTHON) -m venv $(venv)

# What later installs must not replace. Written last: it also says that torch is there.
$(venv)/torch.txt: | $(python)
	$(python) -c 'import torch' 2>/dev/null || $(pip) install '$(TORCH)' numpy
	$(python) -c 'from importlib.metadata import version; print("torch==" + version("torch"))' > $@

# Without pip's build isolation, whose paths change every time: CMake would start from nothing.
$(venv)/tools: pyproject.toml $(venv)/torch.txt
	$(python) cmake/build_requires.py > $@.txt
	$(pip) install --quiet --constraint $(venv)/torch.txt --requirement $@.txt
	touch $@

# For a look into a wheel, torch itself need not be there.
$(venv)/cross-tools: pyproject.toml | $(python)
	$(python) cmake/build_requires.py cross > $@.txt
	$(pip) install --quiet --requirement $@.txt
	touch $@

$(venv)/installed: $(venv)/tools $(sources)
	@echo 'Building mpsops: minutes the first time, seconds after that.'
	$(pip) install --quiet --constraint $(venv)/torch.txt --no-build-isolation --editable '.[test,lint]'
	touch $@
