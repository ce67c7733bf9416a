# SPDX-License-Identifier: Apache-2.0
"""Debian's linux-source whose tree make makes a kernel of in no time, as far as source_kernel.py can see."""

import subprocess
from pathlib import Path

from tests.unit.fake_debian import FakeDebian, pvh_kernel

VERMAGIC = "{} SMP mod_unload "  # of a release
# Of the length of the one that is put in its place.
_RELEASE = "9.9.0-01234567"

# Waits where a test has made a FIFO, fails where it has set BROKEN, and writes down what it compiles.
# What CONFIG_NOT_HERE depends on is missing.
_MAKEFILE = """\
$(O)/vmlinux: $(O)/first.o $(O)/second.o
\tsed s/RELEASE/9.9.0$(LOCALVERSION)/ vmlinux >$@

$(O)/%.o:
\t@for i in $$(seq 200); do echo "  CC      $*.o"; done
\t@if [ -p "$(GATE)" ]; then { read -r _ <"$(GATE)"; } 2>/dev/null || :; fi
\t@if [ $* = "$(BROKEN)" ]; then echo "$*.c:1: error: no good" >&2; exit 1; fi
\t@echo $* >>$(O)/compiled
\t@touch $@

allnoconfig:
\t@mkdir -p $(O)/include/config
\t@grep -v CONFIG_NOT_HERE $(KCONFIG_ALLCONFIG) >$(O)/.config
\t@echo 9.9.0$(LOCALVERSION) >$(O)/include/config/kernel.release

vmlinux: $(O)/vmlinux
modules:
.PHONY: allnoconfig vmlinux modules
"""


def add(debian: FakeDebian, folder: Path) -> None:
    tree = folder / "linux-source-9.9"
    (tree / "Documentation" / "deep").mkdir(parents=True)
    (tree / "Documentation" / "Kconfig").touch()
    (tree / "Documentation" / "deep" / "words.rst").touch()
    (tree / "Makefile").write_text(_MAKEFILE.replace("RELEASE", _RELEASE))
    (tree / "vmlinux").write_bytes(pvh_kernel(folder, VERMAGIC.format(_RELEASE)))
    archive = folder / "linux-source-9.9.tar.xz"
    subprocess.run(["tar", "-cJf", archive, "-C", folder, tree.name], check=True)
    debian.add("linux-source", {}, depends="linux-source-9.9 (= 9.9-1)")
    debian.add("linux-source-9.9", {f"usr/src/{archive.name}": archive.read_bytes()}, version="9.9-1")
