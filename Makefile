# cmlwatch: one non-recursive build. `make help` lists what there is.
#
# A collector is a folder under collector/ and its name here.
COLLECTORS := ec2 cloudwatch cml
PROGRAMS   := cmlwatch-aggregator cmlwatch-gateway $(COLLECTORS:%=cmlwatch-collector-%) cmlwatch-sim

CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
comma    := ,
# What is built lies apart by compiler and sanitizers: none of them overwrites another.
B        := build/$(notdir $(CC))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))

OPTIMIZE ?= -O2
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wformat=2 -Wundef -Wpointer-arith -Werror
HARDEN   := -fstack-protector-strong -fPIE $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
CFLAGS   += -std=c17 -D_GNU_SOURCE $(OPTIMIZE) -g $(WARNINGS) $(HARDEN) -MMD -MP -I$(B)/generated \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE))
LDLIBS   += -lczmq -lzmq -ljson-c -lcurl -lmicrohttpd -linih -lexpat -luuid -lgnutls -lm

sources   = $(wildcard $(1:%=%/*.c))
objects   = $(patsubst %.c,$B/%.o,$(call sources,$1))
assembly  = $(patsubst %.S,$B/%.o,$(wildcard $(1:%=%/*.S)))

.PHONY: all help deps demo test unit integration lint format install clean bench
.DEFAULT_GOAL := all

all: $(PROGRAMS:%=$B/%)  ## build every program

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- programs: each is its own folder and common/, nothing else

$B/cmlwatch-aggregator: $(call objects,common aggregator)
$B/cmlwatch-gateway:    $(call objects,common gateway) $(call assembly,gateway)
$B/cmlwatch-sim:        $(call objects,common tests/simulator)
$B/cmlwatch-collector-%: $(call objects,common collector/core collector/aws)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(foreach c,$(COLLECTORS),$(eval $B/cmlwatch-collector-$c: $(call objects,collector/$c)))

$B/cmlwatch-aggregator $B/cmlwatch-gateway $B/cmlwatch-sim:
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/%.o: %.c | deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$B/%.o: %.S | deps
	@mkdir -p $(@D)
	$(CC) -MMD -MP -c -o $@ $<

# --- the version, of git; the file changes only when the version does

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
$B/generated/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define CMLWATCH_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define CMLWATCH_VERSION "$(VERSION)"' > $@
$B/common/program.o: $B/generated/version.h
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
$B/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

define unit_rule
$B/tests/unit/$1/test_%: $B/tests/unit/$1/test_%.o $B/lib/$1.a $B/lib/common.a
	$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach folder,aggregator gateway collector simulator,$(eval $(call unit_rule,$(folder))))
$B/tests/unit/common/test_%: $B/tests/unit/common/test_%.o $B/lib/common.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

unit: $(UNIT)  ## build and run the unit tests
	@tests/support/run-unit $(UNIT)

clean:  ## remove what was built
	rm -rf build

.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
