# What a person types. Everything that a target needs is installed or built by it.
CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.PHONY: help build test test-all demo bench fuzz docs fmt lint install clean

help:
	@echo "make demo    rehearse the example on a throwaway machine, break it, see what the audit says"
	@echo "make test    everything: format, lints, unit tests, tests on booted machines"
	@echo "make test-all the same with every case of every catalogue; takes hours"
	@echo "make bench   how fast the audit is, beside the usual ways and the least that any way must do"
	@echo "make docs    what is generated: the page of rules, the example, the sample of the README"
	@echo "make fuzz    each fuzzer for SECONDS (60)"
	@echo "make build   target/release/golden"
	@echo "make install into PREFIX (/usr/local)"

build:
	$(CARGO) build --release

test:
	tools/ci/test

test-all:
	tools/ci/test-all

demo:
	demo/run

bench:
	bench/run

SECONDS ?= 60
fuzz:
	fuzz/run $(SECONDS)

docs:
	UPDATE_DOCS=1 $(CARGO) test --test quick docs::

fmt:
	$(CARGO) fmt

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings

PREFIX ?= /usr/local
install: build
	install -D -m 0755 target/release/golden $(DESTDIR)$(PREFIX)/bin/golden

clean:
	tools/machine gc --all
	$(CARGO) clean
