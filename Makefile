# cqmail: plain make builds everything; see INSTALL.
#
# Folders under src/ follow the mail; a program folder's modules become one
# archive, which its programs link with the four shared libraries. Small
# programs (started once a connection or a message) are linked static with
# musl-gcc if it is there; `make MUSL=` uses the compiler of conf-cc for all.

.POSIX:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

BUILD ?= build
BIN ?= bin
# Another file of account names; the tests in tests/root have theirs.
CONF_USERS ?= conf-users
CC = $(shell head -n 1 conf-cc)
LD = $(shell head -n 1 conf-ld)
HOME_DIR = $(shell head -n 1 conf-qmail)
MUSL ?= $(shell command -v musl-gcc 2>/dev/null)
WERROR ?=
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2 $(WERROR)
STANDARD = -std=c11 -D_POSIX_C_SOURCE=200809L
CFLAGS_ALL = $(STANDARD) $(WARNINGS) -Isrc -I$(BUILD) -MMD -MP
ifeq ($(MUSL),)
SMALL_CC = $(CC)
SMALL_LD = $(LD)
else
SMALL_CC = $(MUSL) -static -O2 -g
SMALL_LD = $(MUSL) -static
endif

# ---- what is built -------------------------------------------------------
SHARED = net conf mail base
# started once a connection or a message: no NSS, no resolver
SMALL_PROGRAMS = \
	accept/qmail-smtpd accept/qmail-qmtpd accept/qmail-qmqpd \
	inject/qmail-queue inject/qmail-qmqpc inject/qmail-inject \
	inject/sendmail inject/predate inject/datemail \
	inject/mailsubj inject/rmail \
	local/qmail-local local/forward local/preline local/condredirect \
	local/bouncesaying local/except local/maildirmake \
	local/qreceipt local/maildir2mbox local/mbox2maildir \
	local/maildirwatch \
	queue/qmail-clean \
	pop3/qmail-popup pop3/qmail-pop3d
# long-lived, or in need of the passwd database, crypt or the resolver
LARGE_PROGRAMS = \
	accept/tcp-env \
	queue/qmail-queued \
	send/qmail-start send/qmail-send \
	local/qmail-lspawn local/qmail-getpw local/qbiff \
	remote/qmail-rspawn remote/qmail-remote \
	pop3/qmail-checkpass \
	admin/qmail-conf admin/qmail-newu admin/qmail-pw2u \
	admin/qmail-newmrh admin/qmail-newmvrt \
	admin/qmail-showctl admin/qmail-qread admin/qmail-qstat \
	admin/qmail-tcpto admin/qmail-tcpok admin/splogger admin/qmail-check \
	admin/qmail-qtool
LIBS_accept/tcp-env = -lresolv
LIBS_remote/qmail-remote = -lresolv
LIBS_pop3/qmail-checkpass = -lcrypt
LIBS_admin/qmail-conf = -lcrypt
LIBS_admin/qmail-check = -lresolv

# shell scripts, src/FOLDER/NAME.sh with the home in place of @HOME@
SCRIPTS = admin/qmailctl

# other names of sendmail, which goes by the name that it is called by
SENDMAIL_LINKS = mailq newaliases

PROGRAMS = $(SMALL_PROGRAMS) $(LARGE_PROGRAMS)
FOLDERS = accept inject queue send local remote pop3 admin
PROGRAM_SOURCES = $(PROGRAMS:%=src/%.c)
modules = $(filter-out $(PROGRAM_SOURCES),$(wildcard src/$(1)/*.c))
BINARIES = $(foreach p,$(PROGRAMS) $(SCRIPTS),$(BIN)/$(notdir $(p)))

.PHONY: all clean install users check-install demo demo-needs demo-stop check \
	unit crash bench soak lint fuzz fuzz-replay san dynamic html
all: $(BINARIES) $(SENDMAIL_LINKS:%=$(BIN)/%)

# ---- rules for one flavour -----------------------------------------------
# $(1) flavour, $(2) compiler, $(3) linker, $(4) its programs, $(5) where to
define flavour
$(BUILD)/$(1)/%.o: src/%.c $(BUILD)/config.h conf-cc
	@mkdir -p $$(@D)
	@echo '  CC $(1) $$<'
	@$(2) $$(CFLAGS_ALL) -c -o $$@ $$<

$(foreach f,$(SHARED) $(FOLDERS),
$(BUILD)/$(1)/lib$(f).a: $(patsubst src/%.c,$(BUILD)/$(1)/%.o,$(call modules,$(f)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
)
$(BUILD)/$(1)/admin/check_privileges.o: $(BUILD)/privileges.h
$(foreach p,$(4),
$(5)/$(notdir $(p)): $(BUILD)/$(1)/$(p).o \
    $(BUILD)/$(1)/lib$(firstword $(subst /, ,$(p))).a \
    $(SHARED:%=$(BUILD)/$(1)/lib%.a) conf-ld
	@mkdir -p $(5)
	@echo '  LD $(1) $$@'
	@$(3) -o $$@ $(BUILD)/$(1)/$(p).o \
	    $(BUILD)/$(1)/lib$(firstword $(subst /, ,$(p))).a \
	    $(SHARED:%=$(BUILD)/$(1)/lib%.a) $(LIBS_$(p))
)
endef
$(eval $(call flavour,small,$(SMALL_CC),$(SMALL_LD),$(SMALL_PROGRAMS),$(BIN)))
$(eval $(call flavour,large,$(CC),$(LD),$(LARGE_PROGRAMS),$(BIN)))

# $(1) where to, $(2) the script
define script
$(1)/$(notdir $(2)): src/$(2).sh conf-qmail
	@mkdir -p $$(@D)
	@sed 's|@HOME@|$(HOME_DIR)|g' $$< >$$@.tmp
	@chmod 755 $$@.tmp && mv $$@.tmp $$@
endef
$(foreach d,$(BIN) $(BUILD)/dynamic/bin $(BUILD)/san/bin,$(foreach p,$(SCRIPTS),\
    $(eval $(call script,$(d),$(p)))))

$(SENDMAIL_LINKS:%=$(BIN)/%): $(BIN)/sendmail
	@ln -sf sendmail $@

# The home and the account names, as C literals.
$(BUILD)/config.h: conf-qmail $(CONF_USERS) tools/config-header
	@mkdir -p $(@D)
	@sh tools/config-header conf-qmail $(CONF_USERS) >$@.tmp
	@mv $@.tmp $@

# What an installation consists of, as rows of a C table.
$(BUILD)/privileges.h: etc/privileges $(CONF_USERS) tools/privileges-header \
    tools/privileges-rows $(wildcard man/*.[1-9])
	@mkdir -p $(@D)
	@CONF_USERS=$(CONF_USERS) sh tools/privileges-header >$@.tmp
	@mv $@.tmp $@

# ---- installing ----------------------------------------------------------
install: all
	@CONF_USERS=$(CONF_USERS) DESTDIR='$(DESTDIR)' sh tools/install $(BIN)

users:
	@CONF_USERS=$(CONF_USERS) sh tools/make-users

check-install:
	@CONF_USERS=$(CONF_USERS) DESTDIR='$(DESTDIR)' sh tools/check-install

# ---- the demo ------------------------------------------------------------
demo: demo-needs all
	@BIN=$(BIN) bash tools/demo start

demo-needs:
	@sh tools/demo-needs

demo-stop:
	@BIN=$(BIN) bash tools/demo stop

# ---- pages and documents as a site ----------------------------------------
html:
	@/usr/bin/env python3 tools/html $(BUILD)/html

# ---- tests ---------------------------------------------------------------
# Two more flavours, with the sanitizers: san (gcc) and clang (which can fuzz).
SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
SAN_CC = gcc $(SANITIZE)
CLANG_CC = clang $(SANITIZE) -fsanitize=fuzzer-no-link
$(eval $(call flavour,san,$(SAN_CC),$(SAN_CC),$(PROGRAMS),$(BUILD)/san/bin))
$(eval $(call flavour,clang,$(CLANG_CC),$(CLANG_CC),))

UNIT_TESTS = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*/*_test.c))
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*/*_fuzz.c))
FUZZ_SECONDS ?= 60
# Test sources follow the same rules, except that cmocka wants no -Wpedantic.
TEST_CFLAGS = $(filter-out -Wpedantic -Wconversion,$(CFLAGS_ALL)) \
	-Wno-missing-prototypes

# $(1) flavour, $(2) compiler
define test_flavour
$(foreach t,$(UNIT_TESTS),
$(BUILD)/$(1)/unit/$(t): tests/unit/$(t).c \
    $(patsubst %,$(BUILD)/$(1)/lib%.a,$(filter $(FOLDERS),$(firstword $(subst /, ,$(t)))) $(SHARED))
	@mkdir -p $$(@D)
	@echo '  CC $(1) $$<'
	@$(2) $$(TEST_CFLAGS) -o $$@ $$(filter %.c %.a,$$^) -lcmocka $(LIBS_$(t))
)
$(foreach t,$(FUZZ_TARGETS),
$(BUILD)/$(1)/fuzz/$(t): tests/fuzz/$(t).c \
    $(if $(filter san,$(1)),tests/fuzz/replay.c) \
    $(patsubst %,$(BUILD)/$(1)/lib%.a,$(filter $(FOLDERS),$(firstword $(subst /, ,$(t)))) $(SHARED))
	@mkdir -p $$(@D)
	@echo '  CC $(1) $$<'
	@$(2) $(if $(filter clang,$(1)),-fsanitize=fuzzer) $$(TEST_CFLAGS) -o $$@ \
	    $$< $(if $(filter san,$(1)),tests/fuzz/replay.c) \
	    $$(filter %.a,$$^) $(LIBS_$(t))
)
endef
$(eval $(call test_flavour,san,$(SAN_CC)))
$(eval $(call test_flavour,clang,$(CLANG_CC)))

# All programs linked dynamically; what makes their system calls fail, or
# records them; and the model of a disk, with qmail-queued's recovery inside.
TESTED = $(filter-out -Wpedantic -Wconversion,$(WARNINGS))
MODEL = recover_states recovering choices disk disk_states memfs tree
$(eval $(call flavour,dynamic,$(CC),$(LD),$(PROGRAMS),$(BUILD)/dynamic/bin))
$(BUILD)/dynamic/%.so: tests/crash/%.c tests/crash/oplog.h
	@mkdir -p $(@D)
	@echo '  CC dynamic $<'
	@$(CC) $(TESTED) -fPIC -shared -o $@ $< -ldl
$(BUILD)/dynamic/no_sandbox.so: tests/load/no_sandbox.c
	@mkdir -p $(@D)
	@echo '  CC dynamic $<'
	@$(CC) $(TESTED) -fPIC -shared -o $@ $<
$(BUILD)/dynamic/model/%.o: tests/crash/%.c $(BUILD)/config.h
	@mkdir -p $(@D)
	@echo '  CC dynamic $<'
	@$(CC) $(STANDARD) $(TESTED) -Isrc -I$(BUILD) -MMD -MP -c -o $@ $<
$(BUILD)/dynamic/recover_states: $(MODEL:%=$(BUILD)/dynamic/model/%.o) \
    tests/crash/wrapped $(patsubst %,$(BUILD)/dynamic/lib%.a,queue $(SHARED))
	@echo '  LD dynamic $@'
	@$(LD) $(shell sed 's/[^ ][^ ]*/-Wl,--wrap=&/g' tests/crash/wrapped) -o $@ \
	    $(filter %.o %.a,$^)
$(BUILD)/dynamic/recorded_disk: tests/disk/recorded_disk.c
	@mkdir -p $(@D)
	@echo '  CC dynamic $<'
	@$(CC) $(STANDARD) $(TESTED) -o $@ $<
dynamic: $(foreach p,$(PROGRAMS) $(SCRIPTS),$(BUILD)/dynamic/bin/$(notdir $(p))) \
	$(BUILD)/dynamic/no_sandbox.so $(BUILD)/dynamic/fault.so $(BUILD)/dynamic/record.so \
	$(BUILD)/dynamic/clock.so $(BUILD)/dynamic/probe.so \
	$(BUILD)/dynamic/recover_states

# All programs with the sanitizers, for CQMAIL_BIN=build/san/bin.
san: $(foreach p,$(PROGRAMS) $(SCRIPTS),$(BUILD)/san/bin/$(notdir $(p)))

check:
	@MAKE='$(MAKE)' /usr/bin/env python3 tests/run

# Each single call, not a sample of them as in check; millions of states that
# power cuts leave, and a thousand real disks: an hour or more.
crash: dynamic
	@CRASH_STRIDE=1 CRASH_STATES=$${CRASH_STATES:-2000000} \
	    CRASH_DISKS=$${CRASH_DISKS:-1000} /usr/bin/env python3 tests/run crash disk

# Against other mail servers, forty minutes or more; doc/PERFORMANCE.md. As in
# `make bench BENCH='--quick --only smtp,relay --runs 1'`.
BENCH ?= --write
bench: all
	@CQMAIL_BIN=$(BIN) /usr/bin/env python3 tests/bench/run $(BENCH)

# Five times the hostile load of check, 200,000 messages through all paths, and
# some under memcheck: 45 minutes. SOAK='-n 1000' and LOAD_SCALE=1 for less.
SOAK ?=
soak: all dynamic
	@LOAD_SCALE=$${LOAD_SCALE:-5} /usr/bin/env python3 tests/run load
	@CQMAIL_BIN=$(BIN) /usr/bin/env python3 tests/load/soak $(SOAK)
	@/usr/bin/env python3 tests/load/soak --valgrind

unit: $(UNIT_TESTS:%=$(BUILD)/san/unit/%) $(UNIT_TESTS:%=$(BUILD)/clang/unit/%)
	@mkdir -p $(BUILD)/results
	@UNIT_RESULTS=$(BUILD)/results/unit.txt sh tools/run-unit $^

fuzz-replay: $(FUZZ_TARGETS:%=$(BUILD)/san/fuzz/%)
	@sh tools/run-fuzz replay $^

fuzz: $(FUZZ_TARGETS:%=$(BUILD)/clang/fuzz/%)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tools/run-fuzz search $^

lint:
	@tools/lint/run

-include $(shell find $(BUILD) -path $(BUILD)/addons -prune -o -path $(BUILD)/bench -prune -o -type f -name '*.d' -print 2>/dev/null)

clean:
	rm -rf $(BUILD) $(BIN)
