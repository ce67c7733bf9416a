#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts one fault of the file `mutants` into a copy of one of the driver's files and expects that its test fails.
# usage: mutant.sh NAME SOURCES BUILT COMPILER..., where BUILT has the objects of all files without it
set -eu

name=$1 sources=$2 built=$3
shift 3
line=$(grep "^$name " module/mutants) || { echo "module/mutants has no line for $name" >&2; exit 1; }
read -r _ program file expression <<END
$line
END

build=$built/../mutant/$name
rm -rf "$build"
mkdir -p "$build"
sed -z "$expression" "$sources/$file" > "$build/$file"
if cmp -s "$sources/$file" "$build/$file"; then
	echo "mutant $name changes nothing in $file: adapt it" >&2
	exit 1
fi
# Of a header, those who include it; quotes mean the includer's own folder first.
faulty=
objects=$(find "$built" -name '*.o' ! -name 'test_*')
for object in $objects; do
	source=$(basename "$object" .o).c
	[ -f "$sources/$source" ] || continue
	[ "$source" = "$file" ] || grep -q "#include \"$file\"" "$sources/$source" || continue
	[ "$source" = "$file" ] || cp "$sources/$source" "$build/$source"
	faulty="$faulty $build/$source"
	objects=$(echo "$objects" | grep -vx "$object")
done
# shellcheck disable=SC2086
"$@" $faulty "$built/$program.o" $objects -o "$build/$program"

status=0
IKC_DEADLINE_S=2 timeout 120 "$build/$program" > "$build/output" 2>&1 || status=$?
case $status in
0) echo "mutant $name survives $program" >&2; exit 1 ;;
124) echo "mutant $name makes $program hang: $build/output" >&2; exit 1 ;;
esac
