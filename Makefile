# A few words for the commands that are used most; meson does the building.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

.PHONY: all debug release install clean packages demo test corpus bench fuzz tidy fresh

all:                        # build/
	@scripts/install-packages --check build
	@scripts/build build

release:                    # build-release/
	@scripts/install-packages --check build
	@scripts/build build-release

debug:                      # build-debug/, with the unit tests
	@scripts/install-packages --check build test
	@scripts/build build-debug

install:                    # of the release build; PREFIX= and DESTDIR= are obeyed
	@scripts/install-packages --check build
	@scripts/build build-release -Dprefix=$(abspath $(PREFIX))
	@meson install --quiet -C build-release $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean:
	rm -rf build build-*

packages:                   # the Debian packages that building needs
	@scripts/install-packages build

demo:                       # all set-up, then a message's way over loopback, shown
	@scripts/install-packages build demo
	@scripts/build build
	@scripts/demo

test:                       # all set-up, then every test; ends with "N passed, N failed"
	@scripts/install-packages build demo test
	@tests/run.py

corpus:                     # six thousand real messages through it, byte for byte (fetched by npm)
	@scripts/install-packages build demo test corpus
	@scripts/build build
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/system/corpus_all.py

bench:                      # against the peers, on this machine: tables on the terminal
	@scripts/install-packages build demo test bench
	@scripts/build build-release
	@bench/run

fuzz:                       # each fuzzer for FUZZ_SECONDS
	@scripts/install-packages build test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run.py fuzz

tidy:                       # static analysis of src/
	@scripts/install-packages build test tidy
	@scripts/tidy

fresh:                      # demo and test from a clean clone in a minimal Debian 12 (needs root)
	@scripts/install-packages fresh
	@scripts/fresh
