#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# symbols.sh KERNEL: the functions of a linked kernel, as the assembly of its table (read by kernel/symbols.c):
# a count, then pairs {address - KERNEL_OFFSET, offset of the name}, ascending, then the names.
set -eu
export LC_ALL=C
"${NM:-nm}" "$1" | awk '$2 ~ /[tT]/ && $3 !~ /^(text_start|text_end|kernel_start)$/' | sort -k1,1 -k3,3 | awk '
	$1 == last { next }
	{
		last = $1
		entries = entries sprintf("\t.long 0x%s - 0x80000000, name%d - names\n", substr($1, 9), count)
		names = names sprintf("name%d:\t.asciz \"%s\"\n", count, $3)
		count++
	}
	END {
		print "\t.section .symbols, \"a\""
		printf "\t.long %d\n%snames:\n%s", count, entries, names
		print "\t.section .note.GNU-stack, \"\", @progbits"
	}'
