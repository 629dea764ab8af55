# cmlwatch: one non-recursive build. `make help` lists what there is.
#
# A collector is a folder under collector/ and its name here.
COLLECTORS := ec2 cloudwatch cml prometheus
PROGRAMS   := cmlwatch-aggregator cmlwatch-gateway $(COLLECTORS:%=cmlwatch-collector-%) cmlwatch-sim cmlwatch cmlwatch-probe

CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
comma    := ,
# What is built lies apart by compiler, sanitizers and coverage: none of them overwrites another.
B        := build/$(notdir $(CC))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(COVERAGE),-coverage)

OPTIMIZE ?= -O2
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wundef -Wpointer-arith -Werror
HARDEN   := -fstack-protector-strong -fPIE $(if $(SANITIZE)$(COVERAGE),,-D_FORTIFY_SOURCE=2)
CFLAGS   += -std=c17 -D_GNU_SOURCE $(OPTIMIZE) -g $(WARNINGS) $(HARDEN) -MMD -MP -I$(B)/generated \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
            $(if $(COVERAGE),--coverage -O0)
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(COVERAGE),--coverage)
LDLIBS   += -lczmq -lzmq -ljson-c -lcurl -lmicrohttpd -linih -lexpat -llmdb -luuid -lgnutls -lwslay -lrhonabwy -lorcania -ljansson -lz -lm

# Under SANITIZE=thread: no program of ours starts a thread. libzmq has two, libcurl one for a name, and what they do among
# themselves is built without it: it would be told as races. What of ours runs beside them is looked at.
export TSAN_OPTIONS ?= ignore_noninstrumented_modules=1

# Each file's name is printed as it is made; `make V=1` prints the whole command.
Q         = $(if $(V),,@echo "  $(@:$B/%=%)";)

sources   = $(wildcard $(1:%=%/*.c))
objects   = $(patsubst %.c,$B/%.o,$(call sources,$1))
assembly  = $(patsubst %.S,$B/%.o,$(wildcard $(1:%=%/*.S)))

.PHONY: all help bench flame curves record metrics schemas deps deps-test deps-bench deps-lint deps-fuzz deps-deploy demo test unit integration node vendor page heap screenshots faults soak \
        memcheck fuzz fuzz-targets lint format install deb test-deb test-compose test-files clean
.DEFAULT_GOAL := all

all: $(PROGRAMS:%=$B/%)  ## build every program

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- programs: each is its own folder and common/, nothing else

$B/cmlwatch-aggregator: $(call objects,common aggregator)
$B/cmlwatch-gateway:    $(call objects,common gateway) $(call assembly,gateway)
$B/cmlwatch-sim:        $(call objects,common tests/simulator)
$B/cmlwatch-collector-%: $(call objects,common collector/core collector/aws)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(foreach c,$(COLLECTORS),$(eval $B/cmlwatch-collector-$c: $(call objects,collector/$c)))

# In the terminal, for who works with it; the only one that draws.
$B/cmlwatch: LDLIBS += -lncursesw
$B/cmlwatch: $(call objects,common gateway/cli)

$B/cmlwatch-probe: $(call objects,probe)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$B/cmlwatch-aggregator $B/cmlwatch-gateway $B/cmlwatch-sim $B/cmlwatch:
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/%.o: %.c | deps
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

$B/%.o: %.S | deps
	@mkdir -p $(@D)
	$(Q)$(CC) -MMD -MP -Wa,-I$(@D)/dashboard -c -o $@ $<

#  The page's files, also as pack makes them small, all at once: dashboard_files.S takes in both.
PAGE := $(wildcard $(addprefix gateway/dashboard/,pack *.html *.js *.css *.svg client/*.js lib/*.js views/*.js vendor/*.js vendor/*.css vendor/*.txt))
$B/gateway/dashboard/packed: $(PAGE) gateway/dashboard_files.S | deps
	@mkdir -p $(@D)
	$(Q)gateway/dashboard/pack $(@D) && touch $@
#  What the page takes from others is committed; `make lint` sees that it is what was locked.
vendor:  ## the page's libraries from npm anew, as vendor/package-lock.json locks them
	@gateway/dashboard/vendor/vendor

$B/gateway/dashboard_files.o: $B/gateway/dashboard/packed

# --- the version, of git; the file changes only when the version does

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
#  Of the manual pages: the last commit's, so that the same source makes the same pages.
DATE    := $(shell git log -1 --format=%cs 2>/dev/null || date -u -d @$${SOURCE_DATE_EPOCH:-0} +%F)
$B/generated/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define CMLWATCH_VERSION "%s"\n#define CMLWATCH_DATE "%s"\n' '$(VERSION)' '$(DATE)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$B/common/program.o $B/common/program_docs.o: $B/generated/version.h
.PHONY: FORCE

# --- unit tests: tests/unit/<folder>/test_<module>.c is linked with that folder and common/

unit_sources := $(wildcard tests/unit/*/test_*.c)
UNIT         := $(unit_sources:%.c=$B/%)
without_main  = $(filter-out %/main.o,$(call objects,$1))

$B/lib/common.a:     $(call without_main,common)
$B/lib/aggregator.a: $(call without_main,aggregator)
$B/lib/gateway.a:    $(call without_main,gateway) $(call assembly,gateway)
$B/lib/collector.a:  $(call without_main,collector/core collector/aws $(COLLECTORS:%=collector/%))
$B/lib/simulator.a:  $(call without_main,tests/simulator)
$B/lib/cli.a:        $(call without_main,gateway/cli)
$B/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

define unit_rule
$B/tests/unit/$1/test_%: $B/tests/unit/$1/test_%.o $B/lib/$1.a $B/lib/common.a
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach folder,aggregator gateway collector simulator cli,$(eval $(call unit_rule,$(folder))))
$B/tests/unit/common/test_%: $B/tests/unit/common/test_%.o $B/lib/common.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# --- what comes from outside, fuzzed: tests/fuzz/fuzz_<target>.c, tests/fuzz/corpus/<target>/
#
# `make test` replays the corpora with any compiler; `make fuzz` looks for more with libFuzzer.

FUZZ   := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAY := $(FUZZ:%=$B/tests/replay/%)
FUZZED := $B/lib/aggregator.a $B/lib/gateway.a $B/lib/cli.a $B/lib/collector.a $B/lib/common.a
MINUTES ?= 10

$B/tests/replay/%: $B/tests/fuzz/%.o $B/tests/fuzz/replay.o $(FUZZED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out $(WITHOUT),$^) $(LDLIBS)

$B/libfuzzer/%: $B/tests/fuzz/%.o $(FUZZED)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter-out $(WITHOUT),$^) $(LDLIBS)

#  The terminal's fleet is another than the aggregator's.
$B/tests/replay/fuzz_terminal $B/libfuzzer/fuzz_terminal: WITHOUT := $B/lib/aggregator.a

fuzz-targets: $(FUZZ:%=$B/libfuzzer/%)

fuzz: deps-fuzz  ## fuzz all that comes from outside for MINUTES=10 in all, or EACH=10 CPU minutes for each target (clang, libFuzzer)
	+@$(MAKE) --no-print-directory CC=clang SANITIZE=fuzzer-no-link,address,undefined fuzz-targets
	@EACH=$(EACH) tests/support/run-fuzz build/clang-fuzzer-no-link-address-undefined/libfuzzer $(MINUTES) $(FUZZ)

# --- the schemas: printed from the tables, checked in; a test prints and compares

$B/print_schemas: $B/tests/support/print_schemas.o $B/lib/common.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

schemas: $B/print_schemas  ## print common/schema/ anew
	@$< common/schema

PYTHON ?= /usr/bin/python3

metrics:  ## write docs/metrics.md anew
	@$(PYTHON) tests/support/metrics_table.py docs/metrics.md

#  Tests wait more than they work: two files of them at a time.
TEST_WORKERS ?= 2
PYTEST  = CMLWATCH_BUILD=$B $(PYTHON) -m pytest -q -p no:cacheprovider --timeout 300

test: deps-test  ## install what is missing, build and run every test (SANITIZE=address,undefined)
	+@$(MAKE) --no-print-directory unit
	+@$(MAKE) --no-print-directory integration

unit: deps-test $(UNIT) $(REPLAY)  ## the unit tests alone, the fuzzer's corpora replayed, the client library in Node
	@tests/support/run-unit $(UNIT) $(REPLAY)
	@tests/support/run-node $(wildcard tests/browser/unit/*.test.js)

integration: deps-test all $B/print_schemas $B/crowd node  ## the real programs against the simulator, over real sockets
	@PYTHONDONTWRITEBYTECODE=1 $(PYTEST) -n $(TEST_WORKERS) --dist loadfile tests/integration tests/browser $(PYTEST_FLAGS)

node:  # of npm: an EventSource for tests/integration/test_clients.py, playwright-core for tests/browser; these say it when there is none
	@tests/support/node/install || [ $$? -eq 75 ]
	@tests/support/node/install tests/browser build/browser || [ $$? -eq 75 ]

faults: deps-test all  ## kill -9 a hundred times under load, stalls, cuts, a full disk: one line of JSON for each table row
	@PYTHONDONTWRITEBYTECODE=1 CMLWATCH_KILLS=$${CMLWATCH_KILLS:-100} CMLWATCH_RATE=$${CMLWATCH_RATE:-2000} \
	  $(PYTEST) -s --timeout 1200 tests/integration/test_kills.py tests/integration/test_faults.py $(PYTEST_FLAGS)

soak: deps-test all $B/crowd  ## the whole stack for MINUTES=30 with clients, jobs and rescales; fails when anything grows or an event is missing
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/soak.py $B $(if $(filter command line,$(origin MINUTES)),$(MINUTES),30)

chaos: deps-test all  ## the whole stack while everything goes wrong that SEED=7 says, or each of SEEDS=20 (from FIRST=1 on)
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/chaos/chaos.py $B $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1) --first $(or $(FIRST),1)) \
	  $(CHAOS_FLAGS)

#  The corpora's replay sees what sanitizers do not: the insides of libraries that were built without them.
memcheck: deps-test all $(REPLAY)  ## the whole stack once under valgrind, and the fuzzer's corpora: no leak, no invalid access
	@WRAP="valgrind --quiet --error-exitcode=99 --num-callers=30 --suppressions=tests/support/valgrind.suppress" tests/support/run-unit $(REPLAY)
	@PYTHONDONTWRITEBYTECODE=1 CMLWATCH_WRAP="valgrind" $(PYTEST) tests/integration/test_stack.py -k whole_stack $(PYTEST_FLAGS)

# Unit tests and those integration tests that drive each part of aggregator/, common/ and collector/; processes that are killed leave no counts.
COVERAGE_TESTS ?= test_stack test_bus test_store test_jobs test_job_steps test_life test_alerts test_keys test_config test_digest test_otlp \
                  test_fleet_metrics test_modes test_gateway test_schema \
                  test_credentials test_accounts $(COLLECTORS:%=test_collector_%) test_collector_push test_collector_jobs test_collector_listed

coverage: deps-test  ## lines run by the tests, for each folder; fails below a floor of tests/support/coverage.floors
	+@$(MAKE) --no-print-directory COVERAGE=1 coverage-run

coverage-run: all $B/print_schemas $(UNIT) $(REPLAY)
	@find $B -name '*.gcda' -delete
	@tests/support/run-unit $(UNIT) $(REPLAY)
	@PYTHONDONTWRITEBYTECODE=1 $(PYTEST) -n $(TEST_WORKERS) --dist loadfile $(COVERAGE_TESTS:%=tests/integration/%.py)
	@tests/support/coverage $B

$B/bench_%: $B/tests/bench/bench_%.o $B/lib/aggregator.a $B/lib/common.a
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/bench_aggregate: $B/tests/bench/mix.o
$B/sse_load: $(patsubst %,$B/tests/bench/%.o,sse_load readers mouth payload observer latency processor) $B/lib/common.a
$B/bus_load: $(patsubst %,$B/tests/bench/%.o,bus_load payload observer latency processor) $B/lib/common.a
$B/sse_broadcaster: $B/tests/bench/sse_broadcaster.o $B/lib/common.a
$B/bus_raw: $B/tests/bench/bus_raw.o
$B/crowd: $B/tests/bench/crowd.o
$B/ingest_load: $(patsubst %,$B/tests/bench/%.o,ingest_load mix) $B/lib/common.a
$B/sse_load $B/bus_load $B/sse_broadcaster $B/bus_raw $B/ingest_load $B/crowd:
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

BENCH_PROGRAMS := $(patsubst %,$B/%,bench_aggregate bench_store sse_load bus_load sse_broadcaster bus_raw ingest_load)

bench: deps-bench all $(BENCH_PROGRAMS)  ## speeds beside peers, one table; BENCH="rows or parts", QUICK=1; fails below a floor of tests/bench/floors.json
	@PYTHONDONTWRITEBYTECODE=1 QUICK=$(QUICK) $(PYTHON) tests/bench/bench.py $B $(BENCH)

curves: deps-bench all $(BENCH_PROGRAMS)  ## how it grows, drawn into docs/curves; CURVES="clients rate bus workers", QUICK=1 draws into build/
	@PYTHONDONTWRITEBYTECODE=1 QUICK=$(QUICK) PICTURES=$(if $(QUICK),$B/curves,docs/curves) $(PYTHON) tests/bench/curves.py $B $(CURVES)

record:  ## what the last whole `make bench` measured, into README.md and docs/measured.md
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/record.py $B

flame: deps-test $B/bench_aggregate  ## aggregator/flame.svg anew: where the instructions of an observation go (callgrind)
	@mkdir -p $B/flame
	@valgrind -q --tool=callgrind --callgrind-out-file=$B/flame/counts --toggle-collect=loop_turn $B/bench_aggregate 200 3000 1 $B/flame whole
	@tests/support/flame $B/flame/counts loop_turn 3000 >aggregator/flame.svg

page: deps-test all node  ## what the page costs the browser, and how soon it shows what happened, as JSON
	@PYTHONDONTWRITEBYTECODE=1 CMLWATCH_BUILD=$B $(PYTHON) tests/browser/measure_page.py

heap: deps-test all node  ## whether the page's heap stays flat over ten minutes of a living fleet, as JSON
	@PYTHONDONTWRITEBYTECODE=1 CMLWATCH_BUILD=$B $(PYTHON) tests/browser/measure_heap.py

screenshots: deps-test all node  ## deploy/screenshots/ anew: each view, light, dark and on a phone
	@PYTHONDONTWRITEBYTECODE=1 CMLWATCH_BUILD=$B $(PYTHON) tests/browser/screenshots.py deploy/screenshots

demo: all  ## the whole stack on simulated AWS and CML, until Ctrl-C
	@deploy/demo $B

# --- what is installed: each group only when something of it is missing

deps:  ## install what the build needs (apt; as root or with sudo)
	@deploy/deps build
deps-test:
	@deploy/deps build test
deps-bench:
	@deploy/deps build test bench
deps-lint:
	@deploy/deps build test lint
deps-fuzz:
	@deploy/deps build fuzz
deps-deploy:
	@deploy/deps build deploy

# --- the checks that read instead of run

C_FILES := $(wildcard common/*.[ch] probe/*.[ch] aggregator/*.[ch] gateway/*.[ch] gateway/cli/*.[ch] collector/*/*.[ch] \
             tests/simulator/*.[ch] tests/unit/*/*.[ch] tests/support/*.[ch] tests/bench/*.[ch] \
             tests/fuzz/*.[ch])

lint: deps-lint all  ## format, layers, sizes, banned calls, cppcheck, clang-tidy, and a build with clang
	@clang-format --dry-run -Werror $(C_FILES) && echo "lint: format ok"
	@for check in tests/lint/*; do CMLWATCH_BUILD=$B $$check || exit 1; done
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppressions-list=tests/support/cppcheck.suppress -j2 -I. $(filter %.c,$(C_FILES)) && echo "lint: cppcheck ok"
	@printf '%s\n' $(filter-out tests/unit/% tests/fuzz/%,$(filter %.c,$(C_FILES))) | \
	  xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- -std=c17 -D_GNU_SOURCE -I$B/generated 2>/dev/null' clang-tidy && echo "lint: clang-tidy ok"
	+@$(MAKE) --no-print-directory CC=clang all && echo "lint: clang builds it"

analyze: deps-lint $B/generated/version.h  ## gcc's -fanalyzer and scan-build's over all sources; some minutes
	@tests/support/analyze $B/generated $(filter-out tests/unit/%,$(filter %.c,$(C_FILES)))

format:  ## put the sources into the checked-in style
	clang-format -i $(C_FILES)

# --- what is installed: programs, pages, completion, units, the configuration
#
# PREFIX is where it will be used, DESTDIR where it is put for that; a configuration that is there stays.

#  The simulator and the probe are of images (Dockerfile).
INSTALLED := $(filter-out %-sim %-probe,$(PROGRAMS))
SYSCONF   := /etc/cmlwatch
UNITDIR   := $(PREFIX)/lib/systemd/system
units      = $(wildcard deploy/systemd/*.service deploy/systemd/*.target)
#  What runs unattended, and so has a section of settings and a page in section 8; `cmlwatch`, for people, has one in section 1.
SERVICES   = $(filter-out cmlwatch,$(INSTALLED))
sections   = $(SERVICES:cmlwatch-%=%)

$B/man/%.8: $B/%
	@mkdir -p $(@D)
	$(Q)$< --man >$@

$B/man/%.1: $B/%
	@mkdir -p $(@D)
	$(Q)$< --man >$@

$B/completion/%: $B/%
	@mkdir -p $(@D)
	$(Q)$< --completion >$@

$B/systemd/cmlwatch-collector-%@.service: deploy/systemd/cmlwatch-collector.service.in
	@mkdir -p $(@D)
	$(Q)sed 's|@KIND@|$*|g' $< >$@

install: all $B/man/cmlwatch.1 $(SERVICES:%=$B/man/%.8) $(INSTALLED:%=$B/completion/%) $(COLLECTORS:%=$B/systemd/cmlwatch-collector-%@.service)  ## into DESTDIR and PREFIX
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/cmlwatch/schema share/doc/cmlwatch share/man/man1 share/man/man8 share/bash-completion/completions)
	install -d $(DESTDIR)$(UNITDIR)/cmlwatch-.service.d $(DESTDIR)$(SYSCONF)
	install -d -m 700 $(DESTDIR)$(SYSCONF)/secrets $(sections:%=$(DESTDIR)$(SYSCONF)/secrets/%)
	install -m 755 $(INSTALL_STRIP) $(INSTALLED:%=$B/%) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $B/man/cmlwatch.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(SERVICES:%=$B/man/%.8) $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 $(INSTALLED:%=$B/completion/%) $(DESTDIR)$(PREFIX)/share/bash-completion/completions/
	install -m 644 common/schema/*.json $(DESTDIR)$(PREFIX)/share/cmlwatch/schema/
	install -m 644 README.md CHANGELOG.md LICENSE deploy/cmlwatch.conf $(DESTDIR)$(PREFIX)/share/doc/cmlwatch/
	install -m 644 $(units) $(COLLECTORS:%=$B/systemd/cmlwatch-collector-%@.service) $(DESTDIR)$(UNITDIR)/
	install -m 644 deploy/systemd/cmlwatch-.service.d/*.conf $(DESTDIR)$(UNITDIR)/cmlwatch-.service.d/
	sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(DESTDIR)$(UNITDIR)/cmlwatch-*.service
	[ -e $(DESTDIR)$(SYSCONF)/cmlwatch.conf ] || install -m 644 deploy/cmlwatch.conf $(DESTDIR)$(SYSCONF)/

#  A version that Debian can compare: v1.2 and later tags as they are, else by the number of commits.
DEB_VERSION = $(or $(shell git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//; s/-/+/g'),0+git$(shell git rev-list --count HEAD 2>/dev/null).$(shell git rev-parse --short HEAD 2>/dev/null))
DEB         = $B/cmlwatch_$(DEB_VERSION)_$(shell dpkg --print-architecture).deb

deb: deps-deploy all  ## a Debian package of it, in build/
	@rm -rf $B/deb
	+@$(MAKE) --no-print-directory install PREFIX=/usr DESTDIR=$B/deb INSTALL_STRIP=--strip >/dev/null
	@deploy/debian/build $B/deb $(DEB_VERSION) $(DEB)
	@echo $(DEB)

test-deb: deb  ## install that package in a system of its own (debootstrap, systemd), use it, remove it; as root
	@PYTHONDONTWRITEBYTECODE=1 CMLWATCH_DEB=$(DEB) $(PYTEST) -s tests/deploy/test_deb.py $(PYTEST_FLAGS)

test-compose: deps-deploy  ## build the images and run the docker-compose stack in an engine of its own; as root
	@PYTHONDONTWRITEBYTECODE=1 $(PYTEST) -s --timeout 1200 tests/deploy/test_compose.py $(PYTEST_FLAGS)

test-files: deps-deploy all  ## the files of deploy/ by their schemas, and by what the programs take
	@PYTHONDONTWRITEBYTECODE=1 $(PYTEST) tests/deploy/test_files.py $(PYTEST_FLAGS)

clean:  ## remove what was built
	rm -rf build

.SECONDARY:
-include $(shell find $B -type f -name '*.d' 2>/dev/null)
