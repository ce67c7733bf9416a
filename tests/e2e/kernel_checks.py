# SPDX-License-Identifier: Apache-2.0
"""Checks that Linux's source has for programs, out of Debian's package, built as their Makefiles have it."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator import debian, source_kernel
from orchestrator.lwk import BUILD
from orchestrator.one_at_a_time import one_at_a_time

BEGIN = Path(__file__).parent / "programs" / "check_begins.c"
SELFTESTS = Path("tools") / "testing" / "selftests"
NOLIBC = Path("tools") / "include" / "nolibc"
NEEDED = ("nolibc", "futex", "sigaltstack")


def sources() -> Path:
    """Of Linux, what these checks need; unpacked once."""
    pool = debian.Pool(BUILD / "debian")
    package = source_kernel.source_package(pool, print)
    tree = BUILD / "kernel" / f"checks-{package.version}"
    with one_at_a_time(tree.parent, print):
        if not tree.is_dir():
            debian.download(pool, (package,), print)
            scratch = tree.with_suffix(".part")
            scratch.mkdir(exist_ok=True)
            folders = [SELFTESTS / name for name in NEEDED]
            wanted = [f"*/{path}/*" for path in (*folders, NOLIBC)] + [f"*/{SELFTESTS}/kselftest.h"]
            source_kernel.unpack_source(pool, package, scratch, "--wildcards", *wanted)
            scratch.rename(tree)
    return tree


def build_checks(made: Path) -> None:
    """nolibc-test, sas and each futex check, static, into a folder."""
    tree = sources()
    selftests = tree / SELFTESTS
    futex = selftests / "futex"
    jobs = [
        _nolibc_test(tree, made),
        [*_common(selftests), "-o", made / "sas", selftests / "sigaltstack" / "sas.c"],
    ]
    for source in sorted((futex / "functional").glob("*.c")):
        options = ["-O2", "-D_GNU_SOURCE=", "-pthread", f"-I{futex / 'include'}"]
        jobs.append([*_common(selftests), *options, "-o", made / source.stem, source])
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(_compile, jobs):
            pass


def _common(selftests: Path) -> list[str | Path]:
    return ["gcc", "-w", "-s", "-static", f"-I{selftests}", BEGIN]


def _nolibc_test(tree: Path, made: Path) -> list[str | Path]:
    options = ["-Os", "-fno-ident", "-fno-asynchronous-unwind-tables", "-s", "-nostdlib", "-static", "-w"]
    source = tree / SELFTESTS / "nolibc" / "nolibc-test.c"
    return ["gcc", *options, f"-I{tree / NOLIBC}", "-o", made / "nolibc-test", source, "-lgcc"]


def _compile(command: list[str | Path]) -> None:
    subprocess.run(command, check=True)
