# Everything is installed into .venv; a stamp file there says which extra was installed from which pyproject.toml.
PYTHON   ?= python3
VENV     := .venv
BIN      := $(VENV)/bin
PIP      := $(BIN)/python -m pip --disable-pip-version-check install --quiet --editable

HOST     ?= 127.0.0.1
PORT     ?= 8000
CONFIG   ?=  # of what is trained; default: the model that ships
DATA_DIR ?=  # a folder that holds corpora already; the others are downloaded
BUNDLE   ?=  # a folder such as models/en-tagger: publish there; without it the test sets stay untouched
ARGS     ?=  # passed on to the program run

TRAIN = $(BIN)/python -m training.
DATA  = $(if $(strip $(DATA_DIR)),--data-dir $(strip $(DATA_DIR)))

TAGGER     = $(or $(strip $(CONFIG)),training/configs/en-tagger.toml)
CLASSIFIER = $(or $(strip $(CONFIG)),training/configs/en-sentiment.toml)
TRANSLATOR = $(or $(strip $(CONFIG)),training/configs/en-es.toml)
LANGUAGE_MODEL = $(or $(strip $(CONFIG)),training/configs/en-lm.toml)
model_of   = $(basename $(notdir $(1)))
# What the published models start from.
STARTS_en-tagger = runs/en-tagger-second/best.pt
STARTS_multi30k-small = runs/multi30k/.done
STARTS_multi30k-no-attention = runs/multi30k/.done
STARTS_multi30k-de = runs/multi30k/.done
STARTS_multi30k-fr = runs/multi30k/.done
# A stage of a translator goes on from the run that its configuration names.
start_of = $(addsuffix /.done,$(shell sed -n 's|^starts_from = "\(runs/.*\)"|\1|p' training/configs/$(1).toml))
# A classifier whose configuration has a teacher learns what the teacher says of plain text.
TAUGHT = $(if $(shell grep -s '^\[teacher\]' $(CLASSIFIER)),runs/$(call model_of,$(CLASSIFIER))-teacher/taught.tsv)

# Tests start hundreds of programs, each of which would compile the service again.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help serve test test-all check check-deploy check-playground smoke-playground smoke docs format settings conformance train-tagger train-classifier train-translator train-language-model experiments bench load chaos attacks clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Variables: HOST, PORT (serve); DATA_DIR, CONFIG, BUNDLE (train-…); ARGS (test, bench, load, chaos, train-…); PYTHON"

# SIGHUP reloads models. Python would end of one that comes before it runs our first line: ignored until the service heeds it.
serve: $(VENV)/.serve ## Install what serving needs and serve, with a worker for each core (PORT=8123 for another port)
	@trap '' HUP; exec env RIBBON_HOST=$(HOST) RIBBON_PORT=$(PORT) RIBBON_WORKERS=$${RIBBON_WORKERS:-auto} $(BIN)/python -m service

test: $(VENV)/.dev ## Run the tests; those of training too where torch is installed
	$(BIN)/python -m pytest -n auto $(ARGS)

test-all: $(VENV)/.dev $(VENV)/.train ## Install torch, then run every test
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(VENV)/.dev ## Lint, check the format and the types, ask whether weaknesses of dependencies are known
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m deploy.audit

# Programs that are not Python's come from Debian; INSTALL=--install fetches them (as root, for CI).
check-deploy: $(VENV)/.dev $(VENV)/.deploy ## Hold deploy/ against the programs that read it: promtool, amtool, hadolint, kubectl, ...
	$(BIN)/python -m bench.programs deploy $(INSTALL)
	$(BIN)/python -m pytest -n auto --dist loadfile -m '' tests/deploy $(ARGS)

check-playground: $(VENV)/.dev $(VENV)/.browser ## Use the playground in Debian's Chromium as a person would; pictures go to build/playground
	$(BIN)/python -m bench.programs playground $(INSTALL)
	$(BIN)/python -m bench.playground $(ARGS)

smoke-playground: $(VENV)/.dev $(VENV)/.browser ## From a fresh clone to an answer in each pane of the playground, by the clock; needs Chromium
	$(BIN)/python -m bench.playground.from_clone

smoke: $(VENV)/.dev $(VENV)/.deploy ## Start the stack from Debian's packages, kill an instance under load, watch its alert come and go
	$(BIN)/python -m bench.deployment.smoke

# The variable silences a notice of the theme's makers about another program of theirs.
docs: $(VENV)/.docs ## Build the documentation as a site into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet $(ARGS)

format: $(VENV)/.dev ## Format, and mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

conformance: $(VENV)/.dev ## Schemathesis over the whole description, with all checks, for five minutes (ARGS="--seed 7")
	$(BIN)/python -m bench.conformance --max-time 300 $(ARGS)

settings: $(VENV)/.serve ## Write the table of settings in docs/operations.md anew
	$(BIN)/python -m service.settings docs/operations.md

train-tagger: $(VENV)/.train $(STARTS_$(call model_of,$(TAGGER))) ## Train the tagger; with BUNDLE=models/en-tagger measure and publish it too
	$(TRAIN)tagger.train $(TAGGER) $(DATA) $(if $(strip $(BUNDLE)),--bundle $(BUNDLE)) $(ARGS)

train-classifier: $(VENV)/.train $(TAUGHT) ## Train a classifier; with BUNDLE=models/en-sentiment publish it too
	$(TRAIN)classifier.train $(CLASSIFIER) $(DATA) $(if $(strip $(BUNDLE)),--bundle $(BUNDLE)) $(ARGS)

train-translator: $(VENV)/.train $(call start_of,$(call model_of,$(TRANSLATOR))) $(STARTS_$(call model_of,$(TRANSLATOR))) ## Train a translator; with BUNDLE=models/en-es publish it too
	$(TRAIN)translator.train $(TRANSLATOR) $(DATA) $(if $(strip $(BUNDLE)),--bundle $(BUNDLE)) $(ARGS)

train-language-model: $(VENV)/.train ## Train a language model; with BUNDLE=models/en-lm publish it too
	$(TRAIN)language_model.train $(LANGUAGE_MODEL) $(DATA) $(if $(strip $(BUNDLE)),--bundle $(BUNDLE)) $(ARGS)

EXPERIMENTS = vanishing_gradients conversation_memory agreement elman_grammar word_order sampling

experiments: $(VENV)/.train ## Run the experiments with small recurrent networks; each writes its report into docs/reports/experiments
	for name in $(EXPERIMENTS); do $(TRAIN)experiments.$$name $(DATA) $(ARGS) || exit 1; done

runs/en-tagger-start/best.pt: | $(VENV)/.train
	$(TRAIN)tagger.bundle_start models/en-tagger --run-dir $(@D) --labels runs/en-tagger-labels.conll $(DATA)

runs/en-tagger-narrow/best.pt: runs/en-tagger-start/best.pt
	$(TRAIN)tagger.narrow training/configs/en-tagger-first.toml --start runs/en-tagger-start --run-dir $(@D) $(DATA)

runs/en-tagger-first/best.pt: runs/en-tagger-narrow/best.pt
	$(TRAIN)tagger.train training/configs/en-tagger-first.toml $(DATA)

runs/en-tagger-second/best.pt: runs/en-tagger-first/best.pt
	$(TRAIN)tagger.train training/configs/en-tagger-second.toml $(DATA)

# Every step goes on where it was broken off, or ends at once if it is done.
runs/en-labels.conll: | $(VENV)/.train
	$(TRAIN)tagger.pretrain training/configs/en-encoder.toml $(DATA)
	$(TRAIN)tagger.train training/configs/en-teacher-1.toml $(DATA)
	$(TRAIN)tagger.train training/configs/en-teacher-2.toml $(DATA)
	$(TRAIN)tagger.distil $@ --config training/configs/en-teacher-1.toml --teachers runs/en-teacher-1 runs/en-teacher-2 $(DATA)

runs/%/.done: | $(VENV)/.train
	$(if $(call start_of,$*),$(MAKE) $(call start_of,$*))
	$(TRAIN)translator.train training/configs/$*.toml $(DATA)
	@touch $@

runs/%-teacher/taught.tsv: | $(VENV)/.train
	$(TRAIN)classifier.teacher $(CLASSIFIER) $(DATA)

bench: $(VENV)/.serve ## Measure throughput, latency and memory of every task (ARGS="--model en-tagger" for one model)
	$(BIN)/python -m bench $(ARGS)

load: $(VENV)/.serve $(VENV)/.load ## Raise the load on each endpoint until it is too much (ARGS="--host http://…" for a running service)
	$(BIN)/python -m bench.load $(ARGS)

chaos: $(VENV)/.serve ## Kill, restart, reload and annoy the service under load (ARGS="--minutes 10 --seed 1"); HAProxy is used if installed
	$(BIN)/python -m bench.chaos $(ARGS)

attacks: $(VENV)/.serve ## Replay known attacks against a running service: memory, pauses, answers
	$(BIN)/python -m bench.attacks $(ARGS)

clean: ## Remove the environment and every cache
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis

# One recipe for all: what follows the dot is the extra, and `serve` is the base.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Ribbon needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	@echo "Installing into $(VENV); the first time takes a minute"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml | $(BIN)/python
	$(PIP) .
	@touch $@

$(VENV)/.dev $(VENV)/.train $(VENV)/.load $(VENV)/.deploy $(VENV)/.browser $(VENV)/.docs: $(VENV)/.%: pyproject.toml | $(BIN)/python
	$(PIP) '.[$*]'
	@touch $@ $(VENV)/.serve
