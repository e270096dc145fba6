#!/bin/sh
# make.sh ROOT - builds a part of this project with make -j2 and gcc: the same
# objects, byte by byte, whatever watches; errors and interrupts, too.
cp -r "$1/Makefile" "$1/core" "$1/proto" "$1/scripts" . || exit
objects=build/obj
build() {
	make -j2 -s CFLAGS=-O1 "$@" 2>&1
	echo "status $?"
}
set -- core/store/index.c core/store/rows.c core/base/fmt.c
[ -z "$SUITES_LONG" ] || set -- core/base/*.c core/store/*.c \
	core/capture/*.c
for f; do
	all="$all $objects/${f%.c}.o"
done
# shellcheck disable=SC2086
build $all | grep -v '^  CC'
find $objects -name '*.o' -exec sha256sum {} + | sort -k 2
# shellcheck disable=SC2086
build $all
echo 'int broken(' >>core/store/index.c
build $objects/core/store/index.o | grep -v -e '^  CC' -e '^ *[0-9|]' | head -n 5
printf 'all:\n\t@echo waits; sleep 100\n' >slow
(exec timeout -s INT 0.5 make -f slow) 2>&1
echo "interrupted: $?"
printf 'all: a b c d e f\n%%:\n\t@sh -c "exit 0"; echo $@ | cat >/dev/null\n' >six
for i in 1 2 3 4 5; do
	make -s -j6 -f six || echo "round $i: $?"
done
