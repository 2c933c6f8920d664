# Four verbs, and the long form of one. Each installs what is missing and builds first.
PORT ?= 8080

.PHONY: run demo test test-long bench build

build:
	@scripts/install.sh
	@scripts/build.sh release

run: build          # the engine with the shipped catalogue and programs, and simulated viewers (SIMULATE=0 leaves them out)
	@PORT=$(PORT) scripts/run.sh

demo: build         # one simulated day, then a table; exits 0 only if every feasible program kept its promise
	@scripts/demo.sh

test: build         # every test: style, unit, property, end-to-end, browser, sanitizers, fuzzers
	@scripts/test.sh

test-long: build    # 10,000 seeds, 200 kills amid 2 M events, half an hour of faults: about 50 minutes
	@scripts/test_long.sh

bench: build        # full-size figures
	@scripts/bench.sh
