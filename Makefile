# make demo: a first bundle from synthetic signs.   make test: lint and every quick test.
# make test-all: the longer checks too.             make bench: speeds against named peers.
# make results: every row of results/rows.toml, five seeds each, and the tables made of them (hours).
# make site: the documentation as a site in build/site, every link checked.
# make recipes: every recipe whole, three seeds each, and which limits hold (hours on two cores).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make
TFLITE_VENV := .venv-tflite-runtime
BOARD_TOOLS_VENV := .venv-board-tools
# Workers: the tests start converters of their own, so no more than two.
WORKERS ?= 2
# Emulators, browsers and sockets share a busy machine: who fails runs once more, and its failure is printed.
RERUNS ?= 1

.PHONY: demo test test-all lint bench recipes results site clean debian

demo: $(STAMPS)/build
	$(BIN)/kd-edge build recipes/demo.toml --out build/demo
	@echo "Open build/demo/report.html in a browser."

test: $(STAMPS)/test $(STAMPS)/tflite-runtime $(STAMPS)/board-tools $(STAMPS)/node debian lint
	$(BIN)/python -m pytest -n $(WORKERS) --reruns $(RERUNS) -m "not slow" $(PYTEST_ARGS)

test-all: $(STAMPS)/test $(STAMPS)/tflite-runtime $(STAMPS)/board-tools $(STAMPS)/node debian lint
	$(BIN)/python -m pytest -n $(WORKERS) --reruns $(RERUNS) $(PYTEST_ARGS)

lint: $(STAMPS)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(STAMPS)/test
	$(BIN)/python -m pytest benchmarks -p no:xdist --benchmark-json build/benchmarks.json $(PYTEST_ARGS)

site: $(STAMPS)/test
	$(BIN)/python docs/make_site.py

# What is built already is kept: interrupted, it goes on. A recipe fails where a seed fails a limit.
SEEDS ?= 3
FIRST_SEED ?= 0
SETS ?= ../shared/data
RECORDINGS_brain-tumor := $(SETS)/brain_tumor_mri/images_224px.tar
RECORDINGS_brain-tumor-four := $(SETS)/brain_tumor_mri/images_224px.tar
RECORDINGS_camvid := $(SETS)/camvid/camvid_160x120.npz
RECORDINGS_cifar10-selector := $(SETS)/cifar10/cifar10_10k_2k_jpg.tar.xz
RECORDINGS_cotallard := $(SETS)/myo_cotallard
RECORDINGS_isl-alphabet := $(SETS)/isl_alphabet_myo
RECORDINGS_longterm := $(SETS)/myo_longterm
RECORDINGS_pjm-cascade := $(SETS)/myo_pjm
RECORDINGS_pjm := $(SETS)/myo_pjm
RECORDINGS_threedc := $(SETS)/threedc_emg_imu
RECORDINGS_threedc-within := $(SETS)/threedc_emg_imu
RECIPE_BUILDS := $(patsubst recipes/%.toml,recipe-%,$(wildcard recipes/*.toml))
.PHONY: $(RECIPE_BUILDS)
recipes: $(STAMPS)/test
	@failed=; for build in $(RECIPE_BUILDS); do $(MAKE) --no-print-directory $$build || failed="$$failed $$build"; done; \
	[ -z "$$failed" ] || { echo "not built, or a limit not held:$$failed"; exit 6; }

$(RECIPE_BUILDS): recipe-%: $(STAMPS)/test
	@if [ -n "$(RECORDINGS_$*)" ] && [ ! -e "$(RECORDINGS_$*)" ]; then \
	  echo "recipes/$*.toml is skipped: no recordings at $(RECORDINGS_$*); name the folder with SETS="; \
	else $(BIN)/kd-edge build recipes/$*.toml $(addprefix --data ,$(RECORDINGS_$*)) \
	  --seed $(FIRST_SEED) --seeds $(SEEDS) --workers $(WORKERS) --out build/recipes/$*; fi

# It goes on where it was interrupted. ROWS names some of them.
ROWS ?=
RESULT_SEEDS ?= 5
results: $(STAMPS)/test
	$(BIN)/kd-edge results $(ROWS) --sets $(SETS) --seeds $(RESULT_SEEDS) --board qemu-an386
	$(BIN)/python docs/make_results.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "kd-edge needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 4; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(STAMPS)/build: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[build]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[ble,build,compiler,coreml,docs,fleets,formats,images,lite0,live,onnx,search,watch,test]'
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/build

# tflite-runtime stops at Python 3.11 and NumPy 1: it has an environment of its own, where it can.
$(STAMPS)/tflite-runtime: requirements/tflite-runtime.txt | $(BIN)/python
	@mkdir -p $(STAMPS)
	@python311=$$($(BIN)/python -c 'import sys; print(sys.executable if sys.version_info[:2] == (3, 11) else "python3.11")'); \
	if $$python311 -m venv $(TFLITE_VENV) 2>/dev/null && \
	  $(TFLITE_VENV)/bin/python -m pip install --quiet --requirement $<; then touch $@; \
	else rm -rf $(TFLITE_VENV); echo "no Python 3.11 with tflite-runtime: its tests are skipped"; fi

# PlatformIO and ESP-IDF's component tool, which read the manifests of real boards' projects.
$(STAMPS)/board-tools: requirements/board-tools.txt | $(BIN)/python
	@mkdir -p $(STAMPS)
	@if $(BIN)/python -m venv $(BOARD_TOOLS_VENV) && \
	  $(BOARD_TOOLS_VENV)/bin/python -m pip install --quiet --requirement $<; then touch $@; \
	else rm -rf $(BOARD_TOOLS_VENV); echo "no PlatformIO or component tool: their tests are skipped"; fi

# Programs of npm that look at the page for phones.
$(STAMPS)/node: requirements/node.txt
	@mkdir -p $(STAMPS)
	@if command -v npm >/dev/null && npm install --silent --no-audit --no-fund --prefix .node $$(cat $<); then touch $@; \
	else echo "no npm: tests of accessibility are skipped"; fi

# Cross-compilers, emulators and browsers, where this user may install Debian packages; else tests skip.
# A program that came another way counts: NodeSource's nodejs brings npm and conflicts with Debian's.
DEBIAN_PACKAGES := gcc g++ clang gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib \
  gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-arm qemu-system-misc chromium cmake \
  libclang-rt-dev lld nodejs npm default-jre-headless firefox-esr \
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user
debian:
	@missing=; for package in $(DEBIAN_PACKAGES); do \
	  dpkg -s $$package >/dev/null 2>&1 || command -v $$package >/dev/null || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] && exit 0; \
	command -v apt-get >/dev/null || { echo "no apt-get: tests that need$$missing are skipped"; exit 0; }; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq $$missing >/dev/null \
	  || echo "could not install$$missing: tests that need them are skipped"

# What set-up made; build/ holds bundles, which are the user's.
clean:
	rm -rf $(VENV) $(TFLITE_VENV) $(BOARD_TOOLS_VENV) .node $(STAMPS)
