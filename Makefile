# Everything runs in .venv, made once and again whenever what is to be installed changes.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
FRAMEWORKS := $(VENV)/.frameworks
PYTEST := PYTHONHASHSEED=0 $(VENV)/bin/pytest
PACKAGES := model hw synth sim boards study estimate search report bundle cli
TYPES := build/types/bitformer

.PHONY: help demo test test-slow test-all damaged lint types site dist format profile prove mutants clean

help:
	@echo "make demo      set up, then train, export, simulate and build a small model, to a bitstream"
	@echo "make test      set up, then run the tests"
	@echo "make test-all  the same with the slow tests"
	@echo "make test-slow the slow tests that CI runs, too: synthesis, the notebook, every named configuration"
	@echo "make damaged   10 000 damaged inputs through every reader; resumes"
	@echo "make prove     prove the units with Yosys' SAT solver; minutes"
	@echo "make mutants   change the hardware place by place and see which tests notice; hours, resumes"
	@echo "make lint      ruff, spelling, types and the order of imports"
	@echo "make site      the documentation as a site in build/site, every link checked"
	@echo "make dist      a wheel and an sdist in dist/, with the version of git's tag"
	@echo "make format    let ruff format and sort imports"
	@echo "make profile   measure the knowledge base that ships, anew; two hours of processor, resumes"
	@echo "make clean     remove .venv and everything built"

demo: $(STAMP)
	$(VENV)/bin/bitformer demo

test: $(STAMP)
	$(PYTEST)

# The slow tests that CI runs, too: resources, logic depth and loads by real synthesis, the netlist
# that comes of it against the reference, the notebook, every named configuration all the way, and
# so a series of a user's own; every kind of model as QONNX; models placed and routed to bitstreams,
# the demo's own among them; models of other frameworks against these; a wheel in an environment of its own.
test-slow: $(FRAMEWORKS)
	$(PYTEST) -m slow tests/examples/test_tour.py \
		tests/model/imports/test_patchtst.py tests/api/test_imports.py \
		tests/cli/test_all_the_way.py::test_every_named_config_goes_all_the_way \
		tests/cli/test_all_the_way.py::test_a_classifier_answers_by_its_pins \
		tests/cli/test_all_the_way.py::test_a_detector_on_a_bad_line_judges_each_window_once \
		"tests/cli/test_foreign_series.py::test_whole_way[mixer]" tests/synth/test_synthesize.py tests/hw/units/test_softmax.py \
		tests/proofs/test_proofs.py \
		tests/model/qonnx/test_equal.py::test_every_kind_of_model \
		tests/synth/test_small_router.py tests/sim/netlist/test_engine.py \
		tests/sim/netlist/test_tiny_engine.py tests/sim/test_token_rows.py \
		tests/sim/netlist/test_memories.py tests/sim/netlist/test_ice40_stores.py \
		tests/estimate/test_estimates.py tests/estimate/test_profile.py \
		"tests/boards/host/test_end_to_end.py::test_a_stream_takes_steps[uart]" \
		tests/boards/build/test_ecp5_platform.py tests/boards/build/test_ice40_platform.py tests/boards/build/test_routed_models.py \
		tests/docs tests/cli/test_demo.py::test_the_whole_demo_ends_in_a_routed_bitstream \
		tests/test_installed.py

test-all: $(FRAMEWORKS)
	$(PYTEST) -m "slow or not slow"

# What was run is kept in build/damaged; `--restart` forgets it, `--case csv-17` runs one case again.
damaged: $(STAMP)
	$(VENV)/bin/python tests/damaged.py

# Each proof beside a mutant that it must refuse; the table of docs/verification.md is written anew.
prove: $(STAMP)
	$(VENV)/bin/python tests/prove.py --write

# What was run is kept in build/mutants, with a report; tests/mutants.py says more.
mutants: $(STAMP)
	$(VENV)/bin/python tests/mutants.py

# mypy, lint-imports and the site have to see the folders under the names they are imported by.
lint: types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/codespell
	$(VENV)/bin/mypy -p bitformer
	cd $(dir $(TYPES)) && $(CURDIR)/$(VENV)/bin/lint-imports --no-cache $(CURDIR)/pyproject.toml

types: $(STAMP)
	@mkdir -p $(TYPES)
	@for package in $(PACKAGES); do ln -sfn ../../../$$package $(TYPES)/$$package; done
	@for file in api/*.py api/py.typed; do ln -sf ../../../$$file $(TYPES)/; done

# Strictly: a page that no menu has, a link or a heading's anchor that is not there, each is an error.
# The theme's notice of another generator to come is of no use here.
site: types
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

# Random designs of every family of shapes, some that are named and some near the published grid;
# an ECP5, of which designs of 24 columns are routed, too; an iCE40.
# What was measured is kept: a run that was broken off goes on.
PROFILE := $(VENV)/bin/bitformer profile --kb build/profile.sqlite
profile: $(STAMP)
	$(PROFILE) --shapes 76 --seed 1
	$(PROFILE) --shapes 28 --seed 1180609
	$(PROFILE) --shapes 10 --seed 2337721 --families rows,detector,kinds
	$(PROFILE) grid-12-32-4 grid-6-8-6 tiny etth1-96-24 strike-25
	$(PROFILE) --mixed 5 --bits 2/4,2/8,4,4/8,6,8 --seed 2410 --windows 12,18,24 --widths 8,16
	$(PROFILE) --parts lfe5u-25f --windows 6,12 --widths 16 --bits 4,2/8,8
	$(PROFILE) --parts lfe5u-25f --mixed 4 --seed 5 --windows 6,12,24 --widths 16,32 --bits 2/8,4,6,8
	$(PROFILE) --parts lfe5u-25f --windows 12 --widths 32 --no-pack --lanes 24 --route --seeds 1
	$(PROFILE) --parts lfe5u-25f etth1-96-24 --route --seeds 1
	$(PROFILE) --parts ice40up5k tiny sense-24-1 strike-25 taxi-48-12 mixer-96-24 etth1-48-24-w2a8 etth1-96-24-w2a8 etth1-96-24-w2a4
	$(PROFILE) --parts ice40up5k --windows 12 --widths 16 --bits 3/8
	$(PROFILE) --parts ice40up5k --windows 12 --widths 16 --bits 4 --lanes 2
	$(PROFILE) --parts ice40up5k --windows 6 --widths 32 --bits 4
	$(PROFILE) --parts ice40up5k --mixed 10 --seed 1 --windows 6,12,24 --widths 8,16,24,48 --layers 1,2 --bits 1/4,2/8,3/6,4,6,8
	$(VENV)/bin/bitformer kb export estimate/profiled.json --kb build/profile.sqlite

dist: $(STAMP)
	$(VENV)/bin/python -c "from setuptools import build_meta; build_meta.build_sdist('dist')"
	$(VENV)/bin/python -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation -w dist .

format: $(STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The constraints hold torch at one release: a free choice can fetch gigabytes of GPU libraries.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "bitformer needs Python 3.11 or newer, not %d.%d: make PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[train,plot,synth,open,search,serial,onnx,docs,dev]'
	@touch $@

# What imported models are compared with: 190 MB that nothing else needs.
$(FRAMEWORKS): $(STAMP)
	$(VENV)/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[huggingface]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
