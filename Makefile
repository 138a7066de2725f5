# Each line is what you would type yourself. PATH first looks at what setup unpacked into .cache.
export PATH := $(CURDIR)/.cache/bin:$(CURDIR)/.venv/bin:$(PATH):/usr/sbin
# A start without kept byte code is several times slower, and the tests start hundreds of programs.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check bench soak lock clean

help:        ## this list
	@grep -E '^[a-z]+: .*##' Makefile | sed 's/:.*##/:/'

setup:       ## everything the demo and the tests need, into this folder
	scripts/setup dev

demo:        ## the whole circle on this machine; DEMO_SECONDS=60 ends by itself
	scripts/setup run
	@lastmile-sim demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

test:        ## all tests but the long runs
	scripts/setup dev
	python -m pytest -m "not soak" --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 20

check:       ## lint, types, layers
	scripts/setup dev
	ruff check .
	ruff format --check .
	mypy
	python -m pytest tests/layers

bench:       ## compare with the peers, write docs/results/bench.json
	scripts/setup dev
	python tests/bench/run_bench.py

soak:        ## the long fault runs, figures into docs/results/faults.json; one alone: docs/faults-long.md
	scripts/setup dev
	python -m pytest -m soak --timeout 0 tests

lock:        ## pin requirements/*.txt anew from pyproject.toml
	scripts/lock

clean:       ## remove what setup, tests and the demo made here
	rm -rf .venv .cache node_modules demo-state artefacts
