#!/bin/sh
# built.sh SOURCE - a program in Go or Rust, compiled and run: both under test.
export GOCACHE="$PWD/cache" GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=1 \
	GOTRACEBACK=none RUST_BACKTRACE=0
case $1 in
*.go) go build -o program "$1" ;;
*.rs) rustc -g -O -o program "$1" ;;
esac || exit
./program
echo "status $?"
