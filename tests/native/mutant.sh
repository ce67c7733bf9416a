#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts one fault of the file `mutants` into a copy of the headers and expects that its test fails.
# usage: mutant.sh NAME HEADERS BUILD
set -eu

name=$1 headers=$2 build=$3/mutant/$1 compiled=$3/mutant-support
line=$(grep "^$name " mutants) || { echo "mutants has no line for $name" >&2; exit 1; }
read -r _ program header expression <<END
$line
END

rm -rf "$build"
mkdir -p "$build"
cp "$headers"/*.h "$build"
sed -z "$expression" "$headers/$header" > "$build/$header"
if cmp -s "$headers/$header" "$build/$header"; then
	echo "mutant $name changes nothing in $header: adapt it" >&2
	exit 1
fi

case $program in
*explored) cc=gcc flags=-O1 support="$compiled/explore.o $compiled/explore_step.o" arguments= ;;
fuzz_*)
	cc=clang flags='-O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all' support="$compiled/guarded.o"
	arguments="-runs=30000 -seed=1 -use_cmp=0 -len_control=0 -max_len=512 -artifact_prefix=$build/"
	command -v clang > /dev/null || exit 0
	;;
*) cc=gcc flags=-O1 support="$compiled/guarded.o" arguments= ;;
esac
# shellcheck disable=SC2086
$cc -std=gnu11 -D_GNU_SOURCE $flags -w "-I$build" -pthread "$program.c" $support -o "$build/$program"

status=0
# shellcheck disable=SC2086
timeout 120 "$build/$program" $arguments > "$build/output" 2>&1 || status=$?
case $status in
0) echo "mutant $name survives $program" >&2; exit 1 ;;
124) echo "mutant $name makes $program hang: $build/output" >&2; exit 1 ;;
esac
