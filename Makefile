# Four verbs. Each installs what is missing and builds first.
PORT ?= 8080

.PHONY: run demo test bench build

build:
	@scripts/install.sh
	@scripts/build.sh release

run: build          # the engine with the shipped catalogue and programs, and simulated viewers (SIMULATE=0 leaves them out)
	@PORT=$(PORT) scripts/run.sh

demo: build         # one simulated day, then a table; exits 0 only if every feasible program kept its promise
	@scripts/demo.sh

test: build         # every test: style, unit, property, end-to-end, browser, sanitizers, fuzzers
	@scripts/test.sh

bench: build        # full-size figures
	@scripts/bench.sh
