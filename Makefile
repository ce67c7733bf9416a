# SPDX-License-Identifier: Apache-2.0
# The front door: every target works on a fresh Debian 12 machine and installs what it lacks.

SPEC ?= specs/duo.yaml
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build

# Debian packages that running, building and testing need (docs/index.md, "What it needs").
RUN_PACKAGES := qemu-system-x86 python3-venv gcc libc6-dev musl-tools binutils make cpio lz4 libelf1 ca-certificates
KERNEL_PACKAGES := $(RUN_PACKAGES) bc bison flex libelf-dev
TEST_PACKAGES := $(RUN_PACKAGES) clang g++ gdb libclang-rt-14-dev openssh-client sparse mandoc zsh fish

.DEFAULT_GOAL := help
.PHONY: help boot-enclave host-kernel qmp down test soak bench docs man clean setup setup-test

help:
	@echo 'make boot-enclave [SPEC=specs/duo.yaml]  install, build, boot an enclave and leave it running'
	@echo 'make host-kernel                         build the Linux of `kernel: source`, some minutes, once'
	@echo 'make qmp [PARTITION=lwk0]                a prompt for the QEMU monitors of the enclave that runs'
	@echo 'make down                                stop every enclave that was left running'
	@echo 'make test                                the whole suite: linters, unit, native, end to end'
	@echo 'make soak                                the long form of the tests that have one'
	@echo 'make bench                               measure; a table, and samples in build/bench'
	@echo 'make docs                                build the documentation into build/docs'
	@echo 'make man                                 the manual page of the command, build/enclave.1'
	@echo 'make clean                               remove build/ and .venv/'

boot-enclave: setup
	@$(BIN)/enclave up $(SPEC)

host-kernel: setup packages-kernel
	@$(BIN)/enclave host-kernel

qmp: setup
	@$(BIN)/enclave qmp $(PARTITION)

down: setup
	@$(BIN)/enclave down --all

test: setup-test
	@$(BIN)/pytest -m 'not soak'

soak: setup-test packages-kernel
	@$(BIN)/pytest --timeout=3600

bench: setup-test
	@$(BIN)/python -m tests.bench --out $(BUILD)/bench

docs: $(VENV)/.docs
	@$(BIN)/mkdocs build --quiet --strict --site-dir $(BUILD)/docs
	@echo 'documentation: $(BUILD)/docs/index.html'

man: setup
	@$(BIN)/enclave man > $(BUILD)/enclave.1
	@echo 'manual page: man ./$(BUILD)/enclave.1'

clean:
	@if [ -x $(BIN)/enclave ]; then $(BIN)/enclave down --all; fi
	rm -rf $(BUILD) $(VENV)

# What `enclave` needs to run; it builds kernels and images itself. Prints only what it has to do.
setup: packages-run $(VENV)/.run
	@$(COMPILE)

setup-test: packages-test $(VENV)/.test
	@$(COMPILE)

# Many containers forbid Python to keep what it compiles (PYTHONDONTWRITEBYTECODE): each `enclave` would do it anew.
COMPILE = $(BIN)/python -m compileall -q orchestrator

.PHONY: packages-run packages-kernel packages-test
packages-run:
	@images/install-packages $(RUN_PACKAGES)

packages-kernel:
	@images/install-packages $(KERNEL_PACKAGES)

packages-test:
	@images/install-packages $(TEST_PACKAGES)

PIP_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

$(VENV)/.created: | packages-run
	@echo 'setup: python environment in $(VENV)'
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/.created
	@echo 'setup: python packages'
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/.created
	@echo 'setup: python packages for the tests'
	@$(PIP_INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/.created
	@echo 'setup: python packages for the documentation'
	@$(PIP_INSTALL) -e '.[docs]'
	@touch $@
