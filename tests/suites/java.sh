#!/bin/sh
# java.sh - Suite.java compiled and run with the JVM's own checks of JNI, with
# several collectors, interpreted, and as a program that loads the library by
# libjsig, which chains signal handlers.
here=$(dirname "$0")
javac -J-Xshare:auto -d . "$here/Suite.java" || exit
run() {
	echo "== $*"
	java -Xmx256m "$@" -cp . Suite
	echo "status $?"
}
run -Xcheck:jni -XX:+UseSerialGC
[ -n "$SUITES_LONG" ] || exit 0
run -XX:+UseG1GC
run -XX:+UseZGC
run -XX:+UseParallelGC -XX:TieredStopAtLevel=1 -Xrs
run -Xcomp -XX:+UseSerialGC
run -Xint
