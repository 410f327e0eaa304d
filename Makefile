# xraydx: a table of contents. `make help` prints it.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
PY := .venv/bin/python
TRAIN := .venv-train/bin/python
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-training lint format types messages bench evaluate sample-films up locks clean \
        train-classifier train-detector train-anomaly train-anatomy train-gate train-synthetic \
        env-serve env-dev env-train chromium

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 20

# --- Use -------------------------------------------------------------------------------------
setup: env-serve  ## Install what is needed to run (into .venv)

run: env-serve  ## Start everything on http://127.0.0.1:8000 (PORT=8010 for another)
	@HOST=$(HOST) PORT=$(PORT) exec $(PY) -m xraydx.supervisor

sample-films: env-serve  ## Write some synthetic films into var/sample-films to try it with
	@$(PY) -m ml.imaging.synthetic --out var/sample-films

demo: env-serve  ## Fill an installation without patients with an invented ER shift
	@$(PY) manage.py prepare && $(PY) manage.py demo

up:  ## Start the containers of docker-compose.yml
	docker compose up --build --detach

# --- Check -----------------------------------------------------------------------------------
test: env-dev chromium  ## All tests that need no torch, with coverage
	@$(PY) -m pytest --cov --cov-report=term $(ARGS)

test-training: env-train  ## Training smoke tests, and exported graphs against torch
	@$(TRAIN) -m pytest -c tests/training.ini --rootdir=. --confcutdir=tests/ml/training tests/ml/training $(ARGS)

lint: env-dev  ## ruff, types, direction of imports
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports && .venv/bin/mypy

format: env-dev  ## Put the code into its one form
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench: env-dev  ## Seconds from upload to stored result, films per hour, pages at 100,000 patients
	@$(PY) -m benchmarks $(ARGS)

evaluate: env-train  ## Measure the current release on the test films (needs XRAYDX_SHARED)
	@$(TRAIN) -m ml evaluate $(ARGS)

messages: env-dev  ## Bring locale/ up to date with the source; says what is not translated
	@$(PY) -m xraydx.catalogues

# --- Train (hours; continues where it stopped) -----------------------------------------------
train-classifier: env-train  ## The 13 diseases
	@$(TRAIN) -m ml train classifier $(ARGS)

train-detector: env-train  ## Boxed lesions
	@$(TRAIN) -m ml train detector $(ARGS)

train-anomaly: env-train  ## U-Net and Reversed Autoencoder
	@$(TRAIN) -m ml train anomaly $(ARGS)

train-anatomy: env-train  ## Lungs and heart
	@$(TRAIN) -m ml train anatomy $(ARGS)

train-gate: env-train  ## Which pictures are readable frontal chest films
	@$(TRAIN) -m ml train gate $(ARGS)

# --- Behind the targets ----------------------------------------------------------------------
env-serve:
	@$(PYTHON) xraydx/install.py .venv serve

env-dev:
	@$(PYTHON) xraydx/install.py .venv dev

env-train:
	@$(PYTHON) xraydx/install.py .venv-train train

chromium:
	@.ci/chromium

locks: env-dev  ## Pin serve.txt and dev.txt anew from pyproject.toml
	@.venv/bin/pip-compile -q --upgrade --no-emit-index-url --no-emit-find-links --no-emit-options --no-header \
	  --strip-extras --annotation-style=line -o requirements/serve.txt pyproject.toml
	@.venv/bin/pip-compile -q --upgrade --extra dev --no-emit-index-url --no-emit-find-links --no-emit-options \
	  --no-header --strip-extras --annotation-style=line -c requirements/serve.txt -o requirements/dev.txt pyproject.toml

clean:  ## Remove caches; data under var/ stays
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage .coverage.* htmlcov
