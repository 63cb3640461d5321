# make demo                                    the whole bot in your browser, without Discord
# make imagine PROMPT="dog in autumn leaves"   draw here and now
# make test                                    everything that can be checked without a GPU
# make exactness                               compares every sampler with diffusers; takes long
# make faults                                  runs the experiments with faults in their short forms
# make texts                                   collects the texts from the code, compiles the catalogues
# make lint                                    ruff, pyright
PYTHON ?= python3
PROMPT ?= dog in autumn leaves
ARGS ?=
PORT ?= 8321
# Set it to PyTorch's CPU index on a machine without an NVIDIA card to save gigabytes; see README.
TORCH_INDEX_URL ?=

BIN := .venv/bin
TORCH := torch>=2.11,<2.14

.PHONY: faults demo imagine run doctor test exactness texts lint clean

# In its own folder, so that no .env is read. MODEL=… chooses another model than the starter model.
demo: .venv/.installed
	@mkdir -p data/demo
	@cd data/demo && DATA_DIR=. LOG_LEVEL=$${LOG_LEVEL:-WARNING} exec $(CURDIR)/$(BIN)/python \
		-m playground --name Triptych --port $(PORT) -- $(CURDIR)/$(BIN)/python -m bot run $(ARGS)

imagine: .venv/.installed
	@$(BIN)/python -m bot imagine $(ARGS) -- "$$PROMPT"

run: .venv/.installed
	$(BIN)/python -m bot run

doctor: .venv/.installed
	$(BIN)/python -m bot doctor

# So that code is compiled only once, not in every process.
test: .venv/.installed-dev
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 4 --dist worksteal

exactness: .venv/.installed-dev
	EXACTNESS=full $(BIN)/python -m pytest -q -s --timeout=900 tests/engine/test_exactness.py \
		tests/cluster/test_starter_model.py

# F5, F8 and F17 are timings, which a busy machine may miss: they are printed, but never fail.
faults: .venv/.installed-dev
	$(BIN)/python -m benchmarks.faults --quick --figure F1 F2 F3 F4 F6 F7 F9 F10 F11 F12 F14 F15 F16 F18 F19 F13
	-$(BIN)/python -m benchmarks.faults --quick --figure F5 F8 F17

texts: .venv/.installed-dev
	@mkdir -p build
	$(BIN)/pybabel extract --no-default-keywords --keywords="Text Plural:1,2 Name:1c,2" \
		--no-location --width=100 --project=Triptych -o build/triptych.pot bot/texts
	$(BIN)/pybabel update --domain=triptych --no-fuzzy-matching --ignore-obsolete \
		--ignore-pot-creation-date \
		--width=100 -i build/triptych.pot -d bot/texts/locales
	$(BIN)/pybabel compile --domain=triptych -d bot/texts/locales

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf .venv build dist

export PROMPT

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Triptych needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.torch: .venv/.python
	@echo "Installing PyTorch: a download of 0.2 to 3 GB, which can take minutes."
	$(BIN)/pip install --disable-pip-version-check --progress-bar on \
		$(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) "$(TORCH)"
	@touch $@

.venv/.installed: .venv/.torch pyproject.toml
	@echo "Installing Triptych and what it needs."
	$(BIN)/pip install --disable-pip-version-check --progress-bar on --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@
