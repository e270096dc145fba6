# pprofc. `make help` lists the targets; everything made lands in build/.
#
# User variables: CC CFLAGS LDFLAGS DESTDIR PREFIX LIBDIR LIBEXECDIR V=1 WERROR=1
#   DEPS=shared  link the distribution's shared libunwind, zlib, protobuf-c
#                (see "limits" in README.md before you ship such a build)
#   SAN=LIST     sanitizers for the unit tests, e.g. SAN=address,undefined

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
# The compiler may not be installed yet.
ARCH := $(or $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1),$(shell \
	uname -m))
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec/pprofc
MANDIR ?= $(PREFIX)/share/man
CFLAGS ?= -O2 -g
DEPS ?= static
VERSION := 0.1.0
B := build$(if $(filter shared,$(DEPS)),/shared)$(if $(SAN),/san)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(@:$B/%=%))

# --- Layers: what the files of a folder may include, and nothing else. ------
see_core/base := core/base
see_core/store := core/store $(see_core/base)
see_core/capture := core/capture $(see_core/store)
see_proto := proto $(see_core/base)
see_core/report := core/report proto $(see_core/capture)
see_core/control := core/control $(see_core/report)
see_core/offline := core/offline core/control core/report $(see_core/store)
see_core/symbolize := core/symbolize proto core/base
see_preload := preload $(see_core/control)
see_tests/unit := tests/unit $(see_preload) $B/gen core/symbolize
see_tests/fuzz := tests/fuzz core/offline $(see_core/control) core/symbolize

# --- Flags ------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wvla -Wundef -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion \
	-Wdate-time -Werror=implicit-function-declaration $(if $(WERROR),-Werror)
BASE := -std=gnu11 -D_GNU_SOURCE -DPPROFC_VERSION='"$(VERSION)"' \
	-ffile-prefix-map=$(CURDIR)=. $(if $(SAN),-fsanitize=$(SAN))
# Code that may run in a signal handler of somebody else's program: no TLS
# that allocates, no stack protector or fortify that would abort the host.
CODE := $(BASE) -fPIC -fvisibility=hidden -ftls-model=initial-exec \
	-fno-semantic-interposition -fexceptions -fno-stack-protector \
	-U_FORTIFY_SOURCE
# In a hook the compiler must not recognise what is being hooked.
HOOKED := malloc calloc realloc reallocarray free memalign aligned_alloc \
	posix_memalign valloc pvalloc
extra_preload := $(HOOKED:%=-fno-builtin-%)
extra_core/control := -DPPROFC_LIBEXECDIR='"$(LIBEXECDIR)"'
extra_core/offline = -DPPROFC_LIBDIR='"$(LIBDIR)"' $(extra_core/control) -I$B/gen
extra_core/symbolize = $(shell $(PKG_CONFIG) --cflags libdw)
extra_tests/fuzz = $(extra_core/symbolize)
extra_proto = -I$B/gen $(shell $(PKG_CONFIG) --cflags libprotobuf-c)
extra_core/capture = -idirafter $B/deps/include
extra_tests/unit = -DPP_NO_CONTEXT_CHECK -DPPROFC_BUILD='"$B"' $(extra_core/symbolize)
dir_of = $(patsubst %/,%,$(dir $(1)))
flags = $(CODE) $(addprefix -I,$(see_$(1))) $(extra_$(1))

# --- What there is ----------------------------------------------------------
LIB_DIRS := core/base core/store core/capture core/report core/control proto
src = $(sort $(wildcard $(1:%=%/*.c)))
LIB_SRC := $(call src,$(LIB_DIRS))
PRE_SRC := $(call src,preload)
OFF_SRC := $(call src,core/offline)
SYM_SRC := $(call src,core/symbolize)
PROTO := $(sort $(wildcard proto/*.proto))
GEN_C := $(PROTO:proto/%.proto=$B/gen/%.pb-c.c)
GEN_O := $(GEN_C:.c=.o)
obj = $(patsubst %.c,$B/obj/%.o,$(1))
UNIT := $(patsubst tests/%.c,$B/%,$(call src,tests/unit))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,$B/fuzz/%,$(wildcard \
	tests/fuzz/fuzz_*.c))
PROG_SRC := $(sort $(wildcard $(addprefix tests/targets/,*.c *.cc) \
	$(addprefix tests/hostile/,*.c *.cc)))

prog = $B/$(basename $(1:tests/%=%))$(if $(filter lib%,$(notdir $(1))),.so)
PROGS := $(foreach s,$(PROG_SRC),$(call prog,$s))

ifeq ($(DEPS),shared)
LIBS = $(shell $(PKG_CONFIG) --libs zlib libprotobuf-c) -lunwind-$(ARCH)
UNWIND :=
else
LIBS = $(UNWIND) -l:libz.a -l:libprotobuf-c.a
UNWIND := $B/deps/lib/libunwind-$(ARCH).a $B/deps/lib/libunwind.a
endif

# --- Targets ----------------------------------------------------------------
TEST_GOALS := check check-long demo bench lint fuzz
.PHONY: all check check-long demo bench lint fuzz install clean help repro tests
all: $B/libpprofc.so $B/pprofc $B/pprofc-symbolize $B/pprofc.pc ## build the library and the command
tests: all $(UNIT) $(FUZZ) $(PROGS) ## build what `check` runs

# A goal that has to work in a fresh clone installs what is missing; the plain
# build only names it.
ifneq ($(filter $(TEST_GOALS),$(MAKECMDGOALS)),)
READY := $B/.deps-all
$(READY): scripts/deps.list scripts/install-deps
	$Qmkdir -p $B && scripts/install-deps && touch $@
else
READY := $B/.deps-build
$(READY): scripts/deps.list scripts/install-deps
	$Qmkdir -p $B && scripts/install-deps --check build && touch $@
endif

$B/obj/%.o: %.c Makefile | $(READY) $(GEN_C)
	$(call say,CC)
	$Qmkdir -p $(@D) && $(CC) $(call flags,$(call dir_of,$<)) $(WARN) \
		$(CFLAGS) -foptimize-sibling-calls -MD -MP -c -o $@ $<

$B/gen/%.pb-c.c: proto/%.proto | $(READY)
	$(call say,PROTOC)
	$Qmkdir -p $(@D) && protoc-c --proto_path=proto --c_out=$(@D) $<

$B/gen/%.o: $B/gen/%.c Makefile
	$(call say,CC)
	$Q$(CC) $(call flags,proto) -DNDEBUG $(CFLAGS) -c -o $@ $<

# The installed command looks in LIBDIR and LIBEXECDIR: remember which.
$B/.libdir: FORCE
	$Qmkdir -p $B && echo '$(LIBDIR) $(LIBEXECDIR)' | cmp -s - $@ || \
		echo '$(LIBDIR) $(LIBEXECDIR)' >$@
$(call obj,$(OFF_SRC) core/control/symbolizer_find.c): $B/.libdir
.PHONY: FORCE

$(UNWIND) &: scripts/build-libunwind | $(READY)
	$(call say,DEPS)
	$QCC='$(CC)' scripts/build-libunwind $B/deps

$B/core.a: $(call obj,$(LIB_SRC)) $(GEN_O)
	$(call say,AR)
	$Qrm -f $@ && $(AR) rcs --thin $@ $^

# Copied, as installing does: of a file written in one go, unlike by a linker,
# the page cache has large pieces, which saves 10 us at the start of a program.
$B/libpprofc.so: $(call obj,$(PRE_SRC) $(LIB_SRC)) $(GEN_O) preload/pprofc.map \
		preload/pprofc.ld $(UNWIND)
	$(call say,LINK)
	$Q$(CC) -shared -o $@.linked $(filter %.o,$^) $(BASE) $(CFLAGS) $(LDFLAGS) \
		-Wl,--version-script=preload/pprofc.map \
		-Wl,-T,preload/pprofc.ld \
		-Wl,--exclude-libs,ALL -Wl,--as-needed \
		-Wl,-z,defs,-z,now,-z,relro,-z,nodelete \
		-Wl,-z,noseparate-code -Wl,--hash-style=gnu \
		-nostartfiles -Wl,-Bsymbolic-functions \
		-Wl,--defsym=_U_dyn_info_list_addr=0 $(LIBS)
	$Qrm -f $@ && cp $@.linked $@ && rm $@.linked

$B/pprofc: $(call obj,$(OFF_SRC)) $B/core.a $(UNWIND)
	$(call say,LINK)
	$Q$(CC) -o $@ $(filter %.o %.a,$(filter-out $(UNWIND),$^)) $(BASE) \
		$(CFLAGS) $(LDFLAGS) $(LIBS)

SYM_LIBS = $(shell $(PKG_CONFIG) --libs libdw libelf zlib) -l:libiberty.a
$B/pprofc-symbolize: $(call obj,$(SYM_SRC)) $B/core.a
	$(call say,LINK)
	$Q$(CC) -o $@ $^ $(BASE) $(CFLAGS) $(LDFLAGS) \
		$(SYM_LIBS)

$B/pprofc.pc: Makefile $B/.libdir
	$Qprintf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' \
		'includedir=$${prefix}/include' '' 'Name: pprofc' \
		'Description: profiles of any native program for go tool pprof' \
		'Version: $(VERSION)' 'Cflags: -I$${includedir}' \
		'Libs: -L$${libdir} -lpprofc' >$@

# Test programs say what they need in a comment: "BUILD: -O0 -ldl".
build_flags = $(shell sed -n 's/.*BUILD: *\([^*]*\).*/\1/p' $(1))

$B/symbolize.a: $(call obj,$(filter-out %/main.c,$(SYM_SRC)))
	$(call say,AR)
	$Qrm -f $@ && $(AR) rcs --thin $@ $^

$B/unit/%: $B/obj/tests/unit/%.o $B/core.a $B/symbolize.a $(UNWIND)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(CC) -o $@ $< $B/symbolize.a $B/core.a $(BASE) \
		$(CFLAGS) $(LDFLAGS) $(call build_flags,tests/unit/$*.c) $(LIBS)

# Fuzz targets: with a main that replays saved inputs and, all of it compiled
# by clang, with a fuzzer. What a target's own objects define replaces that of
# the archive.
fuzz_obj = $(addprefix $(1)/obj/tests/fuzz/,fuzz_$(2).o fuzz.o arena_malloc.o)
FUZZ_SRC := $(LIB_SRC) $(filter-out %/main.c,$(OFF_SRC) $(SYM_SRC)) \
	tests/fuzz/good_session.c
FUZZING := -fsanitize=address,undefined -fno-sanitize-recover=all
.SECONDEXPANSION:
$B/fuzz/.a: $(call obj,$(FUZZ_SRC)) $(GEN_O)
	$Qmkdir -p $(@D) && rm -f $@ && $(AR) rcs --thin $@ $^

$(FUZZ): $B/fuzz/%: $$(call fuzz_obj,$B,$$*) $B/obj/tests/fuzz/replay.o \
		$B/fuzz/.a $(UNWIND)
	$(call say,LINK)
	$Q$(CC) -o $@ $(filter-out $(UNWIND),$^) $(BASE) $(CFLAGS) $(LDFLAGS) \
		-Wl,--as-needed $(LIBS) $(SYM_LIBS)

$B/fuzzing/obj/%.o: %.c Makefile | $(READY) $(GEN_C)
	$(call say,CC)
	$Qmkdir -p $(@D) && clang $(call flags,$(call dir_of,$<)) \
		-fsanitize=fuzzer-no-link $(FUZZING) -g -O1 -MD -MP -c -o $@ $<

$B/fuzzing/.a: $(FUZZ_SRC:%.c=$B/fuzzing/obj/%.o) $(GEN_O)
	$Qrm -f $@ && $(AR) rcs --thin $@ $^

$(FUZZ:$B/fuzz/%=$B/fuzzing/%): $B/fuzzing/%: \
		$$(call fuzz_obj,$B/fuzzing,$$*) $B/fuzzing/.a $(UNWIND)
	$(call say,LINK)
	$Qclang -o $@ $(filter-out $(UNWIND),$^) -fsanitize=fuzzer $(FUZZING) \
		-g -Wl,--as-needed $(LIBS) $(SYM_LIBS)

define program
$(1): $(2) $(wildcard $(dir $(2))*.h) Makefile | $(READY)
	$$(call say,PROGRAM)
	$$Qmkdir -p $$(@D) && $(if $(filter %.cc,$(2)),$(CXX),$(CC)) \
		-D_GNU_SOURCE -O2 -g -Wall $(if $(filter %.so,$(1)),-shared -fPIC) \
		-o $$@ $$< $$(call build_flags,$$<)
endef
$(foreach s,$(PROG_SRC),$(eval $(call program,$(call prog,$s),$s)))

check: tests ## build and run every test (minutes; installs what is missing)
	$Qscripts/run-tests $B
check-long: tests ## the same with the long versions of the tests
	$QPPROFC_TEST_LONG=1 scripts/run-tests $B
fuzz: $(FUZZ:$B/fuzz/%=$B/fuzzing/%) ## fuzz each reader for FUZZ_SECONDS (60)
	$Qscripts/fuzz $B
# One C file: clang's warnings with the context check of pp.h, clang-tidy.
LINT := $(patsubst %.c,$B/lint/%.ok,$(LIB_SRC) $(PRE_SRC) $(OFF_SRC) \
	$(SYM_SRC))
$B/lint/%.ok: %.c .clang-tidy Makefile $(wildcard */*.h */*/*.h) \
		| $(READY) $(GEN_C) $(UNWIND)
	$(call say,LINT)
	$Qmkdir -p $(@D) && clang $(call flags,$(call dir_of,$<)) $(WARN) \
		-Wthread-safety -Werror -fsyntax-only $< && \
	clang-tidy -quiet $< -- $(call flags,$(call dir_of,$<)) 2>$@.log || \
		{ cat $@.log; exit 1; }
	$Qtouch $@

lint: $(LINT) all ## format, clang, clang-tidy, cppcheck, shellcheck, mandoc
	$Qscripts/lint $B
demo: all ## build, profile a real program, show it with go tool pprof
	$Qscripts/demo $B
bench: tests ## overhead beside jemalloc, tcmalloc, gperftools, heaptrack
	$Qpython3 tests/bench/run.py $B
install: all ## into DESTDIR, PREFIX, LIBDIR, LIBEXECDIR
	install -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig $(PREFIX)/bin \
		$(LIBEXECDIR) $(PREFIX)/include $(MANDIR)/man1 $(MANDIR)/man7)
	install -m 755 $B/libpprofc.so $(DESTDIR)$(LIBDIR)/
	install -m 644 $B/pprofc.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 755 $B/pprofc $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $B/pprofc-symbolize $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 preload/pprofc.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(wildcard man/*.1) $(DESTDIR)$(MANDIR)/man1/
	install -m 644 $(wildcard man/*.7) $(DESTDIR)$(MANDIR)/man7/
print-flags: # the compiler flags of one folder, for scripts/check-layers
	@printf '%s\n' "$(subst ",\",$(call flags,$(DIR)))"
repro: ## build twice and compare
	$Qscripts/repro
clean: ## remove build/
	rm -rf build
help: ## this text
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)

-include $(shell find $B/obj $B/fuzzing/obj -name '*.d' 2>/dev/null)
